package queue

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// certificate makes one that is signed by itself, for 127.0.0.1.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "queue"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	text, err := x509.CreateCertificate(rand.Reader, about, about, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert"), filepath.Join(t.TempDir(), "key")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: text}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestReachedOverTLS: others come to the queue of this process over TLS, with the secret,
// and where that is wanted with a certificate; nobody else does.
func TestReachedOverTLS(t *testing.T) {
	const secret = "0123456789abcdef"
	cert, key := certificate(t)
	_, otherKey := certificate(t)
	for _, mutual := range []bool{false, true} {
		listen := &Listen{Address: "127.0.0.1:0", Secret: secret, Cert: cert, Key: key}
		if mutual {
			listen.CA = cert
		}
		own, err := EmbeddedFor(t.Context(), t.TempDir(), listen, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := own.Put(t.Context(), subject(submission, "a"), []byte("meta"), nil, 0); err != nil {
			t.Error(err)
		}
		url := "tls://" + Address(own)
		connect := func(r Remote) error {
			r.URL, r.Replicas = url, 1
			j, err := Connect(t.Context(), r, slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			defer j.Close()
			_, err = j.Get(t.Context(), subject(submission, "a"))
			return err
		}
		if err := connect(Remote{Secret: secret, CA: cert, Cert: cert, Key: key}); err != nil {
			t.Errorf("mutual %t: %v", mutual, err)
		}
		for name, r := range map[string]Remote{"without the secret": {CA: cert, Cert: cert, Key: key}, "with another": {Secret: secret + "x", CA: cert, Cert: cert, Key: key},
			"without trust": {Secret: secret, Cert: cert, Key: key}, "with another's key": {Secret: secret, CA: cert, Cert: cert, Key: otherKey}} {
			if err := connect(r); err == nil {
				t.Errorf("mutual %t: connected %s", mutual, name)
			}
		}
		if err := connect(Remote{Secret: secret, CA: cert}); (err != nil) != mutual {
			t.Errorf("mutual %t, without a certificate: %v", mutual, err)
		}
		url = "nats://" + Address(own)
		if err := connect(Remote{Secret: secret}); err == nil {
			t.Errorf("mutual %t: connected without TLS", mutual)
		}
		if err := own.Close(); err != nil {
			t.Error(err)
		}
	}
}
