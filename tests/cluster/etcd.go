// etcd, embedded: one member, reachable through a Unix socket only.
package main

import (
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// Relative to the working directory. A socket needs no port and no certificates, and nobody else reaches it.
const storeAddress = "unix://etcd.sock"

// startStore opens or creates the data in dir and returns when etcd answers.
func startStore(dir string) (*embed.Etcd, error) {
	address, err := url.Parse(storeAddress)
	if err != nil {
		return nil, err
	}
	config := embed.NewConfig()
	config.Dir = dir
	config.ListenClientUrls = []url.URL{*address}
	// There are no peers. The advertised addresses stay at their defaults and lead nowhere.
	config.ListenPeerUrls = nil
	config.LogLevel = "warn"
	// Zero, the default here, reports every request as slow.
	config.WarningUnaryRequestDuration = embed.DefaultWarningUnaryRequestDuration
	config.EnableGRPCGateway = false
	// A test's data outlives the process without fsync, also a killed one; only a crash of the machine loses it.
	config.UnsafeNoFsync = true
	// A single member elects itself at the first timeout, so the timeouts are start-up time and nothing else.
	config.TickMs, config.ElectionMs = 10, 100

	store, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-store.Server.ReadyNotify():
		return store, nil
	case err := <-store.Err():
		store.Close()
		return nil, err
	case <-time.After(readyWithin):
		store.Close()
		return nil, errNotReady
	}
}
