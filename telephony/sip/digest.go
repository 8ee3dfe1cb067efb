package sip

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Bounds on guessing and replay.
const (
	nonceLife   = 5 * time.Minute
	lockAfter   = 10               // wrong answers of one user from one address
	lockFor     = 10 * time.Minute // and the span they are counted over
	maxLocks    = 65536
	maxNonces   = 65536
	nonceBytes  = 7 // time and randomness
	nonceMAC    = 8 // truncated HMAC: as good as 2^64 guesses within nonceLife
	credTimeout = 2 * time.Second
)

// digestAuth checks the digests of desk phones (RFC 3261 22, RFC 7616 with MD5). Nonces are ours: they carry their time
// under a key that is new at every start, so that nothing recorded before a restart is worth anything after it.
type digestAuth struct {
	secret []byte
	users  Users
	now    func() time.Time
	met    *metrics

	mu    sync.Mutex // guards what follows
	used  map[string]nonceUse
	wrong map[lockKey]*wrongs
}

type nonceUse struct {
	nc uint32
	at time.Time
}

type lockKey struct {
	user string
	addr netip.Addr
}

type wrongs struct {
	count       int
	since, last time.Time
}

func newDigestAuth(users Users, now func() time.Time, met *metrics) *digestAuth {
	d := &digestAuth{secret: make([]byte, 32), users: users, now: now, met: met,
		used: map[string]nonceUse{}, wrong: map[lockKey]*wrongs{}}
	if _, err := rand.Read(d.secret); err != nil {
		panic("sip: no randomness: " + err.Error())
	}
	return d
}

func (d *digestAuth) mac(b []byte) []byte {
	h := hmac.New(sha256.New, d.secret)
	h.Write(b)
	return h.Sum(nil)[:nonceMAC]
}

// nonce makes a fresh one of 20 characters: the challenge must not be longer than the request (R7).
func (d *digestAuth) nonce() string {
	var b [nonceBytes]byte
	binary.BigEndian.PutUint32(b[:4], uint32(d.now().Unix()))
	_, _ = rand.Read(b[4:])
	return base64.RawURLEncoding.EncodeToString(append(b[:], d.mac(b[:])...))
}

// fresh reports whether a nonce is ours and young.
func (d *digestAuth) fresh(nonce string) bool {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) != nonceBytes+nonceMAC || !hmac.Equal(b[nonceBytes:], d.mac(b[:nonceBytes])) {
		return false
	}
	age := d.now().Sub(time.Unix(int64(binary.BigEndian.Uint32(b[:4])), 0))
	return age > -time.Minute && age < nonceLife
}

// challenge is the value of WWW-Authenticate.
func (d *digestAuth) challenge(stale bool) string {
	v := `Digest realm="` + Realm + `",nonce="` + d.nonce() + `",qop="auth"`
	if stale {
		v += ",stale=true"
	}
	return v
}

// credentials are the parameters of an Authorization or Proxy-Authorization value, or of a challenge.
type credentials map[string]string

// readDigest reads "Digest a=b, c="d"". False: another scheme, or malformed.
func readDigest(value string) (credentials, bool) {
	scheme, rest, ok := strings.Cut(trim(value), " ")
	if !ok || !strings.EqualFold(scheme, "Digest") {
		return nil, false
	}
	parts, ok := cut(rest, ',')
	if !ok || len(parts) > 32 {
		return nil, false
	}
	c := credentials{}
	for _, p := range parts {
		if p == "" {
			continue
		}
		name, v, ok := strings.Cut(p, "=")
		name = strings.ToLower(trim(name))
		if _, twice := c[name]; !ok || twice || !all(name, isToken) {
			return nil, false
		}
		c[name] = unquote(trim(v))
	}
	return c, true
}

// verdict of verify.
type verdict struct {
	ok    bool
	user  string
	stale bool // the password was right, the nonce is used up
}

// verify judges the credentials of a request. Known and unknown users, wrong passwords and locked users all get the
// same verdict, so that nothing can be enumerated. It may wait for Users, credTimeout at most.
func (d *digestAuth) verify(ctx context.Context, m *message, from netip.Addr) verdict {
	c, ok := readDigest(m.get("Authorization"))
	if !ok {
		if c, ok = readDigest(m.get("Proxy-Authorization")); !ok {
			d.met.refuse("credential")
			return verdict{}
		}
	}
	user := c["username"]
	alg := c["algorithm"]
	fromUser, _ := userPart(m.from)
	if user == "" || len(user) > 128 || c["realm"] != Realm || c["uri"] != m.uri || len(c["response"]) != 32 ||
		alg != "" && !strings.EqualFold(alg, "MD5") || user != fromUser || c["qop"] != "" && c["qop"] != "auth" {
		d.met.refuse("credential")
		return verdict{}
	}
	key := lockKey{user, from}
	if d.locked(key) {
		d.met.refuse("locked")
		return verdict{}
	}
	ctx, cancel := context.WithTimeout(ctx, credTimeout)
	defer cancel()
	ha1, known := d.users.Credential(ctx, user)
	if !known || len(ha1) != 32 {
		known, ha1 = false, hex.EncodeToString(d.mac([]byte(user)))
	}
	want := digestResponse(strings.ToLower(ha1), m.method, c)
	if subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(c["response"]))) != 1 || !known {
		d.fail(key)
		d.met.refuse("credential")
		return verdict{}
	}
	if !d.fresh(c["nonce"]) || !d.use(c) {
		d.met.refuse("credential")
		return verdict{stale: true}
	}
	d.mu.Lock()
	delete(d.wrong, key)
	d.mu.Unlock()
	return verdict{ok: true, user: user}
}

// use takes a nonce and its count; each pair works once. Without qop there is no count, so the nonce works once.
func (d *digestAuth) use(c credentials) bool {
	nc := ^uint32(0)
	if c["qop"] != "" {
		b, err := hex.DecodeString(c["nc"])
		if err != nil || len(b) != 4 || c["cnonce"] == "" {
			return false
		}
		nc = binary.BigEndian.Uint32(b)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	old, seen := d.used[c["nonce"]]
	if seen && nc <= old.nc || !seen && len(d.used) >= maxNonces {
		return false
	}
	d.used[c["nonce"]] = nonceUse{nc: nc, at: d.now()}
	return true
}

func (d *digestAuth) locked(key lockKey) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.wrong[key]
	return w != nil && w.count >= lockAfter && d.now().Sub(w.last) < lockFor
}

func (d *digestAuth) fail(key lockKey) {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.wrong[key]
	if w == nil || now.Sub(w.since) >= lockFor {
		if w == nil && len(d.wrong) >= maxLocks {
			for k := range d.wrong { // any: the table only has to stay bounded
				delete(d.wrong, k)
				break
			}
		}
		w = &wrongs{since: now}
		d.wrong[key] = w
	}
	w.count++
	w.last = now
}

// sweep forgets what no longer matters.
func (d *digestAuth) sweep() {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for n, u := range d.used {
		if now.Sub(u.at) > 2*nonceLife {
			delete(d.used, n)
		}
	}
	for k, w := range d.wrong {
		if now.Sub(w.last) > lockFor {
			delete(d.wrong, k)
		}
	}
}

// digestResponse computes the response of RFC 2617 3.2.2 with MD5.
func digestResponse(ha1, method string, c credentials) string {
	ha2 := md5hex(method + ":" + c["uri"])
	if c["qop"] == "" {
		return md5hex(ha1 + ":" + c["nonce"] + ":" + ha2)
	}
	return md5hex(ha1 + ":" + c["nonce"] + ":" + c["nc"] + ":" + c["cnonce"] + ":" + c["qop"] + ":" + ha2)
}

func md5hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// answerChallenge makes the Authorization value for a provider's challenge. False: it asks for something we cannot do,
// or for a realm that is not ours to answer.
func answerChallenge(value, realm, user, password, method, uri string) (string, bool) {
	c, ok := readDigest(value)
	if !ok || c["nonce"] == "" || realm != "" && c["realm"] != realm || strings.ContainsAny(c["realm"]+c["nonce"]+c["opaque"], "\"\\\r\n") {
		return "", false
	}
	hash := md5hex
	switch alg := c["algorithm"]; {
	case alg == "", strings.EqualFold(alg, "MD5"):
	case strings.EqualFold(alg, "SHA-256"):
		hash = func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	default:
		return "", false
	}
	ha1, ha2 := hash(user+":"+c["realm"]+":"+password), hash(method+":"+uri)
	var b strings.Builder
	b.WriteString(`Digest username="` + user + `",realm="` + c["realm"] + `",nonce="` + c["nonce"] + `",uri="` + uri + `"`)
	qop := false
	for _, q := range strings.Split(c["qop"], ",") {
		qop = qop || strings.EqualFold(trim(q), "auth")
	}
	if qop {
		cnonce := token(8)
		b.WriteString(`,qop=auth,nc=00000001,cnonce="` + cnonce + `",response="` +
			hash(ha1+":"+c["nonce"]+":00000001:"+cnonce+":auth:"+ha2) + `"`)
	} else if c["qop"] != "" {
		return "", false
	} else {
		b.WriteString(`,response="` + hash(ha1+":"+c["nonce"]+":"+ha2) + `"`)
	}
	if c["opaque"] != "" {
		b.WriteString(`,opaque="` + c["opaque"] + `"`)
	}
	if c["algorithm"] != "" {
		b.WriteString(`,algorithm=` + c["algorithm"])
	}
	return b.String(), true
}

// token makes n random bytes as hex: tags, branches, Call-IDs.
func token(n int) string {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		panic("sip: no randomness: " + err.Error())
	}
	return hex.EncodeToString(b)
}
