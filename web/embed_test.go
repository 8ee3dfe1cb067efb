package web

import (
	"io/fs"
	"strings"
	"testing"
)

func TestDistIsUsable(t *testing.T) {
	t.Parallel()
	pages, built := Dist()
	if _, err := fs.ReadDir(pages, "."); err != nil {
		t.Fatalf("read the root of the pages: %v", err)
	}
	if !built {
		if _, err := fs.Stat(pages, "index.html"); err == nil {
			t.Fatal("index.html is there, but Dist says that nothing was built")
		}
		return
	}
	page, err := fs.ReadFile(pages, "index.html")
	if err != nil {
		t.Fatalf("read the first page: %v", err)
	}
	if !strings.Contains(string(page), `id="root"`) {
		t.Error("the first page has no root element for the program to fill")
	}
}
