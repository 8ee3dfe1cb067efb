package httpapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// ui serves the built pages: files as they are, index.html for every address that a page of the application may have.
// All files are read, named by their content and compressed once, when the server starts.
type ui struct{ files map[string]*file }

// file is one file of the pages.
type file struct {
	plain  []byte
	packed []byte // gzip; nil: not worth it
	typ    string
	etag   string
	cache  string
}

const index = "index.html"

func newUI(pages fs.FS) (*ui, error) {
	if pages == nil {
		return nil, nil
	}
	u := &ui{files: map[string]*file{}}
	err := fs.WalkDir(pages, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(pages, name)
		if err != nil {
			return err
		}
		u.files[name], err = newFile(name, b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("httpapi: read the pages: %w", err)
	}
	if u.files[index] == nil {
		return nil, errors.New("httpapi: pages without index.html")
	}
	return u, nil
}

func newFile(name string, b []byte) (*file, error) {
	sum := sha256.Sum256(b)
	f := &file{plain: b, typ: mime.TypeByExtension(path.Ext(name)), etag: `"` + hex.EncodeToString(sum[:12]) + `"`, cache: "no-cache"}
	if f.typ == "" {
		f.typ = http.DetectContentType(b)
	}
	if path.Ext(name) == ".webmanifest" {
		f.typ = "application/manifest+json"
	}
	if strings.HasPrefix(name, "assets/") { // the name holds a hash of the content
		f.cache = "public, max-age=31536000, immutable"
	}
	text := strings.HasPrefix(f.typ, "text/") || strings.Contains(f.typ, "javascript") || strings.Contains(f.typ, "json") || strings.Contains(f.typ, "svg")
	if !text || len(b) < 1<<10 {
		return f, nil
	}
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	f.packed = buf.Bytes()
	return f, nil
}

// page answers everything outside of the API. Hashed assets never change and are cached for ever; all else is asked for
// each time, and answered 304 while it is the same.
func (a *API) page(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		a.fail(w, r, &Problem{Status: http.StatusMethodNotAllowed, Detail: "pages are only read"})
		return
	}
	if a.ui == nil {
		a.fail(w, r, &Problem{Status: http.StatusNotFound, Detail: "this server has no pages: build them with `make build`"})
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	f := a.ui.files[name]
	if f == nil {
		if path.Ext(name) != "" { // a file that is not there is not a page
			a.fail(w, r, &Problem{Status: http.StatusNotFound, Detail: "there is no such file"})
			return
		}
		f = a.ui.files[index]
	}
	h, b, tag := w.Header(), f.plain, f.etag
	h.Set("Content-Type", f.typ)
	h.Set("Cache-Control", f.cache)
	if f.packed != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			h.Set("Content-Encoding", "gzip")
			b, tag = f.packed, strings.TrimSuffix(f.etag, `"`)+`-gz"`
		}
	}
	h.Set("ETag", tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

// acceptsGzip reads Accept-Encoding as far as browsers and proxies use it.
func acceptsGzip(r *http.Request) bool {
	if r.Header.Get("Range") != "" {
		return false
	}
	for _, part := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q = strings.ReplaceAll(q, " ", "")
			return q != "q=0" && q != "q=0.0"
		}
	}
	return false
}
