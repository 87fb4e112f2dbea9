// The keys of one directory: made at the first start and kept, so that clients and tokens outlive a restart.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Long enough that no test directory ever meets it.
const keysValidFor = 10 * 365 * 24 * time.Hour

// The serving certificate names exactly these, so `--listen` accepts no others.
var served = []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}

// keys are the files, named relative to the working directory, that the server and its administrator need.
type keys struct {
	authority          pair // Signs the two below; clients trust it, and the server trusts its clients by it.
	server             pair
	administrator      pair   // In group system:masters, which RBAC cannot refuse.
	serviceAccountKeys string // Signs and checks ServiceAccount tokens.
}

// pair is a certificate and its key, both PEM.
type pair struct{ certificate, key string }

func servedAddress(address netip.Addr) bool {
	return slices.Contains(served, address)
}

// loadOrCreateKeys makes dir complete, or leaves it as it is: it appears under its name only when all files are in it.
func loadOrCreateKeys(dir string) (keys, error) {
	named := func(dir string) keys {
		of := func(name string) pair {
			return pair{filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")}
		}
		return keys{of("authority"), of("server"), of("administrator"), filepath.Join(dir, "service-accounts.key")}
	}
	_, err := os.Stat(dir)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return named(dir), err
	}
	unfinished, err := os.MkdirTemp(".", dir+"-")
	if err != nil {
		return keys{}, err
	}
	if err := createKeys(named(unfinished)); err != nil {
		return keys{}, err
	}
	return named(dir), os.Rename(unfinished, dir)
}

func createKeys(files keys) error {
	authority, authorityKey, err := create(files.authority, &x509.Certificate{
		Subject:               pkix.Name{CommonName: "rolecall-test-cluster"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, nil, nil)
	if err != nil {
		return err
	}
	var addresses []net.IP
	for _, address := range served {
		addresses = append(addresses, address.AsSlice())
	}
	if _, _, err := create(files.server, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: addresses,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, authority, authorityKey); err != nil {
		return err
	}
	if _, _, err := create(files.administrator, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "administrator", Organization: []string{"system:masters"}},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, authority, authorityKey); err != nil {
		return err
	}
	_, err = createKey(files.serviceAccountKeys)
	return err
}

// create writes a key and a certificate for it, signed by issuer, or by itself when there is none.
func create(
	files pair, template, issuer *x509.Certificate, issuerKey *ecdsa.PrivateKey,
) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := createKey(files.key)
	if err != nil {
		return nil, nil, err
	}
	if issuer == nil {
		issuer, issuerKey = template, key
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, nil, err
	}
	// An hour back, for containers whose clock is a little behind.
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = template.NotBefore.Add(keysValidFor)
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		return nil, nil, fmt.Errorf("signing `%s`: %w", files.certificate, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	return certificate, key, writePEM(files.certificate, "CERTIFICATE", der)
}

func createKey(file string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(file, "EC PRIVATE KEY", der)
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
