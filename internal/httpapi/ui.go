package httpapi

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// ui serves the built pages: files as they are, index.html for every address that a page of the application may have.
type ui struct {
	files fs.FS
	index []byte
}

func newUI(files fs.FS) (*ui, error) {
	if files == nil {
		return nil, nil
	}
	index, err := fs.ReadFile(files, "index.html")
	if err != nil {
		return nil, fmt.Errorf("httpapi: pages without index.html: %w", err)
	}
	return &ui{files: files, index: index}, nil
}

// page answers everything outside of the API. Hashed assets never change and are cached for ever; index.html is asked
// for each time.
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
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if name != "" && name != "index.html" {
		info, err := fs.Stat(a.ui.files, name)
		switch {
		case err == nil && !info.IsDir():
			if strings.HasPrefix(name, "assets/") {
				w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			}
			http.ServeFileFS(w, r, a.ui.files, name)
			return
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid):
			a.fail(w, r, problemOf(err))
			return
		case path.Ext(name) != "": // a file that is not there is not a page
			a.fail(w, r, &Problem{Status: http.StatusNotFound, Detail: "there is no such file"})
			return
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	if r.Method == http.MethodGet {
		_, _ = w.Write(a.ui.index)
	}
}
