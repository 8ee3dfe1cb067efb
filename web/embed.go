// Package web is in charge of the browser side: it carries the built pages inside the binary and says whether they
// were built at all. The pages themselves are TypeScript under src; `npm run build` puts them into dist.
package web

import (
	"embed"
	"io/fs"
)

// all: takes names that begin with a dot too, so that the package compiles on a bare clone, where dist holds
// nothing but .keep.
//
//go:embed all:dist
var files embed.FS

// Dist returns the built pages, rooted where index.html lies, and whether they are there. Without a build the file
// system is empty but usable: the server answers "the pages were not built" instead of failing to start.
func Dist() (pages fs.FS, built bool) {
	sub, err := fs.Sub(files, "dist")
	if err != nil {
		// Only an invalid path makes Sub fail, and this one is a constant.
		panic("web: " + err.Error())
	}
	info, err := fs.Stat(sub, "index.html")
	return sub, err == nil && !info.IsDir()
}
