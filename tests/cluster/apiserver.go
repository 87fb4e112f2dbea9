// kube-apiserver as upstream starts it, and the administrator's way to it.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

var errNotReady = fmt.Errorf("not ready after %s", readyWithin)

// startServer serves on listener until ctx ends. The channel yields one value, the reason of the end.
func startServer(ctx context.Context, listener net.Listener, keys keys) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, listener, keys) }()
	return ended
}

// serve repeats what upstream's command does between its flags and app.Run, with our listener, context and logging.
func serve(ctx context.Context, listener net.Listener, keys keys) error {
	server := options.NewServerRunOptions()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, set := range server.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	if err := flags.Parse(serverFlags(keys)); err != nil {
		return err
	}
	address := listener.Addr().(*net.TCPAddr)
	server.SecureServing.Listener = listener
	server.SecureServing.BindAddress = address.IP
	server.SecureServing.BindPort = address.Port
	// Given, because otherwise the server looks for an outward interface, and a sandbox may have none.
	server.GenericServerRunOptions.AdvertiseAddress = address.IP

	if err := server.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	// As upstream: the server's own clients do not log the warnings that it sends to itself.
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	completed, err := server.Complete(ctx)
	if err != nil {
		return err
	}
	if errs := completed.Validate(); len(errs) > 0 {
		return utilerrors.NewAggregate(errs)
	}
	return app.Run(ctx, completed)
}

// serverFlags are the differences from upstream's defaults; admission, watch cache and fairness stay as they are.
func serverFlags(keys keys) []string {
	return []string{
		"--etcd-servers=" + storeAddress,
		"--authorization-mode=Node,RBAC",
		"--client-ca-file=" + keys.authority.certificate,
		"--tls-cert-file=" + keys.server.certificate,
		"--tls-private-key-file=" + keys.server.key,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + keys.serviceAccountKeys,
		"--service-account-signing-key-file=" + keys.serviceAccountKeys,
		"--service-cluster-ip-range=10.96.0.0/16",
		// Endpoints may not name a loopback address, and there is nothing else to put into them.
		"--endpoint-reconciler-type=none",
		// Ends open watches at shutdown. Upstream's zero leaves them open, and the server then waits a minute for them.
		"--shutdown-watch-termination-grace-period=1s",
	}
}

// administratorAccess is a kubeconfig that carries its certificates, so it can be copied elsewhere.
func administratorAccess(address net.Addr, keys keys) (clientcmdapi.Config, error) {
	const name = "rolecall-test"
	access := *clientcmdapi.NewConfig()
	access.Clusters[name] = &clientcmdapi.Cluster{
		Server:               "https://" + address.String(),
		CertificateAuthority: keys.authority.certificate,
	}
	access.AuthInfos[name] = &clientcmdapi.AuthInfo{
		ClientCertificate: keys.administrator.certificate,
		ClientKey:         keys.administrator.key,
	}
	access.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: "default"}
	access.CurrentContext = name
	return access, clientcmdapi.FlattenConfig(&access)
}

// waitUntilReady asks as the administrator, so it proves the certificates as well. It returns early when the server or
// ctx ends.
func waitUntilReady(ctx context.Context, access clientcmdapi.Config, ended <-chan error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyWithin, errNotReady)
	defer cancel()
	config, err := clientcmd.NewDefaultClientConfig(access, nil).ClientConfig()
	if err != nil {
		return err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	// The namespace is created after /readyz turns ok, and the first thing a test does is to write into it.
	for _, path := range []string{"/readyz", "/api/v1/namespaces/default"} {
		for !answersOK(ctx, client, config.Host+path) {
			select {
			case err := <-ended:
				return fmt.Errorf("ended by itself: %w", err)
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}

func answersOK(ctx context.Context, client *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}
