package trunks_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"hotline/internal/pg"
	"hotline/internal/pg/pgtest"
	"hotline/internal/trunks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTrunkLife(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	s := trunks.NewStore(pool)
	tx := func(fn func(tx pgx.Tx) error) error { return pg.Tx(t.Context(), pool, fn) }
	in := trunks.Defaults()
	in.Name, in.Host, in.User, in.Password = "mts", "sip.example.com", "u", "s3cret"
	in.CIDRs = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	var made trunks.Trunk
	if err := tx(func(tx pgx.Tx) (err error) { made, err = s.Create(t.Context(), tx, in); return err }); err != nil {
		t.Fatal(err)
	}
	if made.Version != 1 || len(made.CIDRs) != 2 || made.Password != "s3cret" {
		t.Errorf("made %+v", made)
	}
	err := tx(func(tx pgx.Tx) error { _, err := s.Create(t.Context(), tx, in); return err })
	if inv, ok := errors.AsType[*trunks.Invalid](err); !ok || !inv.Taken {
		t.Errorf("same name: %v", err)
	}
	made.Enabled, made.MaxCalls = false, 5
	if err := tx(func(tx pgx.Tx) error { _, err := s.Update(t.Context(), tx, made); return err }); err != nil {
		t.Fatal(err)
	}
	if err := tx(func(tx pgx.Tx) error { _, err := s.Update(t.Context(), tx, made); return err }); !errors.Is(err, trunks.ErrVersion) {
		t.Errorf("old version: %v", err)
	}
	got, err := s.Get(t.Context(), "mts")
	if err != nil || got.Enabled || got.MaxCalls != 5 || got.Version != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := tx(func(tx pgx.Tx) error { return s.Delete(t.Context(), tx, "mts", 1) }); !errors.Is(err, trunks.ErrVersion) {
		t.Errorf("delete an old version: %v", err)
	}
	if err := tx(func(tx pgx.Tx) error { return s.Delete(t.Context(), tx, "mts", 2) }); err != nil {
		t.Error(err)
	}
	if _, err := s.Get(t.Context(), "mts"); !errors.Is(err, trunks.ErrNotFound) {
		t.Errorf("after delete: %v", err)
	}
}

func TestTrunkRules(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	s := trunks.NewStore(pool)
	for field, change := range map[string]func(*trunks.Trunk){
		"name":             func(t *trunks.Trunk) { t.Name = "Big Name" },
		"region":           func(t *trunks.Trunk) { t.Region = "Russia" },
		"area_code":        func(t *trunks.Trunk) { t.AreaCode = "x" },
		"host":             func(t *trunks.Trunk) { t.Host = "sip.example.com\r\nVia: x" },
		"port":             func(t *trunks.Trunk) { t.Port = 70000 },
		"transport":        func(t *trunks.Trunk) { t.Transport = "carrier-pigeon" },
		"user":             func(t *trunks.Trunk) { t.User = "a\nb" },
		"password":         func(t *trunks.Trunk) { t.Password = "a\x00b" },
		"register_every_s": func(t *trunks.Trunk) { t.RegisterEveryS = 1 },
		"unknown_number":   func(t *trunks.Trunk) { t.UnknownNumber = "laugh" },
		"caller_id":        func(t *trunks.Trunk) { t.CallerID = "me" },
		"cidrs[0]":         func(t *trunks.Trunk) { t.CIDRs = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")} },
	} {
		in := trunks.Defaults()
		in.Name = "ok"
		change(&in)
		err := pg.Tx(t.Context(), pool, func(tx pgx.Tx) error { _, err := s.Create(t.Context(), tx, in); return err })
		if inv, ok := errors.AsType[*trunks.Invalid](err); !ok || inv.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	s := trunks.NewStore(pool)
	err := pg.Tx(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := s.CreateNumber(t.Context(), tx, trunks.Number{Number: "+78001234567", Flow: "hotline", Label: "Main"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = pg.Tx(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := s.UpdateNumber(t.Context(), tx, trunks.Number{Number: "+78001234567", Queue: "support", Version: 1})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Number(t.Context(), "+78001234567")
	if err != nil || got.Queue != "support" || got.Flow != "" || got.Version != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	for field, n := range map[string]trunks.Number{
		"number": {Number: "a b", Flow: "x"}, "flow": {Number: "1"}, "queue": {Number: "1", Flow: "a", Queue: "b"}, "max_calls": {Number: "1", Flow: "a", MaxCalls: -1},
	} {
		err := pg.Tx(t.Context(), pool, func(tx pgx.Tx) error { _, err := s.CreateNumber(t.Context(), tx, n); return err })
		if inv, ok := errors.AsType[*trunks.Invalid](err); !ok || inv.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := pg.Tx(t.Context(), pool, func(tx pgx.Tx) error { return s.DeleteNumber(t.Context(), tx, "+78001234567", 0) }); err != nil {
		t.Error(err)
	}
	if list, err := s.Numbers(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}
