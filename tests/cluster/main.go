// Command cluster runs etcd and kube-apiserver in one process, for tests: the real server, without a cluster around it.
// It knows nothing of Rolecall. It is a server on the loopback interface with an administrator's kubeconfig beside it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

const (
	// Two to three seconds is the usual start on two busy cores; a minute is for a machine that compiles beside it.
	readyWithin = 60 * time.Second
	// Stopping takes one second, the time that HTTP/2 gives its clients to leave. What was acknowledged is on disk before
	// that, so a server that lingers over an open request is left behind: whoever stops a test must not wait for it.
	stopServerWithin = 2 * time.Second
	stopStoreWithin  = 500 * time.Millisecond
)

// arguments are the command line, resolved: dir is absolute, listen is a loopback address.
type arguments struct {
	dir           string
	listen        netip.AddrPort
	exitWithStdin bool
}

func main() {
	args, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(2)
	}
	terminal := os.Stderr
	if err := run(args); err != nil {
		fmt.Fprintf(terminal, "error: %v\n", err)
		os.Exit(1)
	}
}

func parse(raw []string) (arguments, error) {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	dir := flags.String("dir", "", "directory for keys, data, log and kubeconfig; created if missing, kept afterwards")
	listen := flags.String("listen", "127.0.0.1:0", "loopback address and port of the server; port 0 takes a free one")
	exitWithStdin := flags.Bool("exit-with-stdin", false, "stop at the end of standard input as well")
	if err := flags.Parse(raw); err != nil {
		return arguments{}, err
	}
	if *dir == "" || flags.NArg() > 0 {
		return arguments{}, errors.New("usage: cluster --dir DIR [--listen 127.0.0.1:PORT] [--exit-with-stdin]")
	}
	absolute, err := filepath.Abs(*dir)
	if err != nil {
		return arguments{}, fmt.Errorf("resolving `%s`: %w", *dir, err)
	}
	address, err := netip.ParseAddrPort(*listen)
	if err != nil || !servedAddress(address.Addr()) {
		return arguments{}, fmt.Errorf("`--listen %s` is not 127.0.0.1:PORT or [::1]:PORT", *listen)
	}
	return arguments{dir: absolute, listen: address, exitWithStdin: *exitWithStdin}, nil
}

// run serves until it is told to stop, which is not an error, or until one of the two servers ends by itself, which is.
func run(args arguments) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if args.exitWithStdin {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}

	unlock, err := enter(args.dir)
	if err != nil {
		return err
	}
	defer unlock()
	// The port is taken before anything slow happens: one that is in use fails at once, and a free one stays ours.
	listener, err := net.Listen("tcp", args.listen.String())
	if err != nil {
		return fmt.Errorf("listening on `%s`: %w", args.listen, err)
	}
	defer listener.Close()
	keys, err := loadOrCreateKeys("keys")
	if err != nil {
		return fmt.Errorf("preparing keys in `%s`: %w", args.dir, err)
	}
	store, err := startStore("etcd")
	if err != nil {
		return fmt.Errorf("starting etcd: %w (see `%s/log`)", err, args.dir)
	}
	defer within(stopStoreWithin, store.Close)

	api := startServer(ctx, listener, keys)
	access, err := administratorAccess(listener.Addr(), keys)
	if err != nil {
		return fmt.Errorf("preparing the kubeconfig: %w", err)
	}
	if err := waitUntilReady(ctx, access, api); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("starting kube-apiserver: %w (see `%s/log`)", err, args.dir)
	}
	kubeconfig := filepath.Join(args.dir, "kubeconfig")
	if err := clientcmd.WriteToFile(access, kubeconfig); err != nil {
		return fmt.Errorf("writing `%s`: %w", kubeconfig, err)
	}
	fmt.Printf("ready %s\n", kubeconfig)

	select {
	case <-ctx.Done():
		stop() // From here a second signal kills at once.
		within(stopServerWithin, func() { <-api })
		return nil
	case err := <-api:
		if ctx.Err() != nil {
			return nil // Both had happened, and select takes either.
		}
		return fmt.Errorf("kube-apiserver ended by itself: %v (see `%s/log`)", err, args.dir)
	case err := <-store.Err():
		return fmt.Errorf("etcd ended by itself: %v (see `%s/log`)", err, args.dir)
	}
}

// enter makes dir the working directory, locks it and sends all logging to its file `log`. Everything below names its
// files relative to it, because the path of a Unix socket may not be longer than about a hundred bytes.
func enter(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chdir(dir); err != nil {
		return nil, err
	}
	log, err := os.OpenFile("log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	// Two servers on one directory would take each other's socket and wait for each other's data.
	if err := syscall.Flock(int(log.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("`%s` is in use by another cluster: %w", dir, err)
	}
	// klog and zap look up os.Stderr when they write; a panic still goes to the real one.
	os.Stderr = log
	return func() { klog.Flush(); _ = log.Close() }, nil
}

// within gives work so much time and then leaves it behind.
func within(limit time.Duration, work func()) {
	done := make(chan struct{})
	go func() { work(); close(done) }()
	select {
	case <-done:
	case <-time.After(limit):
	}
}
