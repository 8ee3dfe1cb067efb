package cluster

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Account is the system user that the server runs as. PostgreSQL refuses to run as root.
type Account struct {
	Name     string
	UID, GID int
	// Switch says that we are root and give up our rights for the server; false: it runs as ourselves.
	Switch bool
}

// PickAccount says who the server shall run as. As an ordinary user that is ourselves. As root it is the owner of an
// existing data directory, else the named user, else `postgres`, else `nobody`.
func PickAccount(dir, name string) (Account, error) {
	euid := os.Geteuid()
	owner, exists := ownerOf(dir)
	if euid != 0 {
		if exists && owner != euid {
			return Account{}, fmt.Errorf("directory %s belongs to user %d but we run as user %d: start as its owner, or as root", dir, owner, euid)
		}
		return Account{UID: euid, GID: os.Getegid()}, nil
	}
	if exists && owner != 0 {
		if u, err := user.LookupId(strconv.Itoa(owner)); err == nil {
			return account(u)
		}
	}
	names := []string{"postgres", "nobody"}
	if name != "" {
		names = []string{name}
	}
	for _, n := range names {
		if u, err := user.Lookup(n); err == nil {
			return account(u)
		}
	}
	return Account{}, fmt.Errorf("PostgreSQL refuses to run as root and none of the users %q exists: create one, or start as an ordinary user", names)
}

func account(u *user.User) (Account, error) {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return Account{}, fmt.Errorf("user %s: number %q: %w", u.Username, u.Uid, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return Account{}, fmt.Errorf("user %s: group %q: %w", u.Username, u.Gid, err)
	}
	if uid == 0 {
		return Account{}, fmt.Errorf("user %s is root, which PostgreSQL refuses to run as", u.Username)
	}
	return Account{Name: u.Username, UID: uid, GID: gid, Switch: true}, nil
}

// ownerOf is the owner of a directory that holds a cluster; false when there is none.
func ownerOf(dir string) (int, bool) {
	fi, err := os.Stat(filepath.Join(dir, "PG_VERSION"))
	if err != nil {
		return 0, false
	}
	return int(fi.Sys().(*syscall.Stat_t).Uid), true
}

// attr makes the process attributes for this account. The process gets a group of its own, so that Ctrl-C in a
// terminal reaches us alone and the database outlives the draining of calls.
func (a Account) attr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.Switch {
		attr.Credential = &syscall.Credential{Uid: uint32(a.UID), Gid: uint32(a.GID), Groups: []uint32{}}
	}
	return attr
}

// Own gives a path to the account. Without a switch of users it already is ours.
func (a Account) Own(path string) error {
	if !a.Switch {
		return nil
	}
	if err := os.Lchown(path, a.UID, a.GID); err != nil {
		return fmt.Errorf("give %s to user %s: %w", path, a.Name, err)
	}
	return nil
}

// CanEnter checks that the account may walk down to dir. Only mode bits are looked at; access lists may allow more.
func (a Account) CanEnter(dir string) error {
	if !a.Switch {
		return nil
	}
	for p := dir; ; p = filepath.Dir(p) {
		fi, err := os.Stat(p)
		if err != nil {
			return fmt.Errorf("look at %s: %w", p, err)
		}
		st := fi.Sys().(*syscall.Stat_t)
		bit := os.FileMode(0o001)
		switch {
		case int(st.Uid) == a.UID:
			bit = 0o100
		case int(st.Gid) == a.GID:
			bit = 0o010
		}
		if fi.Mode().Perm()&bit == 0 {
			return fmt.Errorf("user %s, as whom PostgreSQL runs, may not enter %s (mode %04o): choose a data directory elsewhere, chmod o+x %s, or start as an ordinary user",
				a.Name, p, fi.Mode().Perm(), p)
		}
		if p == filepath.Dir(p) {
			return nil
		}
	}
}
