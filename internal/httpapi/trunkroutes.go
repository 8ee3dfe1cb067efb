package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"

	"hotline/internal/auth"
	"hotline/internal/trunks"
)

// trunkJSON is a trunk as administrators see it. The password goes in and never out.
type trunkJSON struct {
	Name            string     `json:"name"`
	CIDRs           []string   `json:"cidrs" doc:"Networks its calls come from; none: no calls in"`
	AssertsIdentity bool       `json:"asserts_identity" doc:"Its caller numbers count as asserted"`
	Region          string     `json:"region"`
	AreaCode        string     `json:"area_code"`
	Host            string     `json:"host" doc:"Where our calls go; empty: none go out"`
	Port            int        `json:"port"`
	Transport       string     `json:"transport"`
	User            string     `json:"user"`
	PasswordSet     bool       `json:"password_set"`
	Realm           string     `json:"realm"`
	Register        bool       `json:"register"`
	RegisterEveryS  int        `json:"register_every_s"`
	MaxCalls        int        `json:"max_calls" doc:"0: no limit of its own"`
	UnknownNumber   string     `json:"unknown_number"`
	CallerID        string     `json:"caller_id"`
	Enabled         bool       `json:"enabled"`
	State           TrunkState `json:"state"`
	Version         int        `json:"version"`
}

// TrunkFields are the settings of a trunk; what is absent stays as it is, or gets its default.
type TrunkFields struct {
	CIDRs           []string `json:"cidrs,omitempty" maxItems:"200"`
	AssertsIdentity *bool    `json:"asserts_identity,omitempty"`
	Region          *string  `json:"region,omitempty" maxLength:"2"`
	AreaCode        *string  `json:"area_code,omitempty" maxLength:"8"`
	Host            *string  `json:"host,omitempty" maxLength:"253"`
	Port            *int     `json:"port,omitempty" minimum:"1" maximum:"65535"`
	Transport       *string  `json:"transport,omitempty" enum:"udp,tcp"`
	User            *string  `json:"user,omitempty" maxLength:"100"`
	Password        *string  `json:"password,omitempty" maxLength:"200" doc:"Empty: removes it; absent: keeps it"`
	Realm           *string  `json:"realm,omitempty" maxLength:"200"`
	Register        *bool    `json:"register,omitempty"`
	RegisterEveryS  *int     `json:"register_every_s,omitempty" minimum:"30" maximum:"86400"`
	MaxCalls        *int     `json:"max_calls,omitempty" minimum:"0" maximum:"100000"`
	UnknownNumber   *string  `json:"unknown_number,omitempty" enum:"reject,notice"`
	CallerID        *string  `json:"caller_id,omitempty" maxLength:"21"`
	Enabled         *bool    `json:"enabled,omitempty"`
}

type trunkInput struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"40"`
		TrunkFields
	}
}

// ByName names a trunk.
type ByName struct {
	Name string `path:"name" maxLength:"100"`
}

type trunkPatch struct {
	ByName
	Match
	Body TrunkFields
}

type deleteTrunk struct {
	ByName
	Match
}

func (a *API) trunkRoutes() {
	handle(a, op{method: "GET", path: "/trunks", summary: "List trunks", resource: auth.Trunks, verb: auth.Read},
		func(ctx context.Context, _ *auth.Identity, _ *Paging) (*body[list[trunkJSON]], error) {
			all, err := a.cfg.Trunks.All(ctx)
			if err != nil {
				return nil, err
			}
			out := make([]trunkJSON, len(all))
			for i, t := range all {
				out[i] = a.trunkOf(t)
			}
			return &body[list[trunkJSON]]{Body: whole(out)}, nil
		})
	handle(a, op{method: "POST", path: "/trunks", summary: "Make a trunk", resource: auth.Trunks, verb: auth.Write, status: http.StatusCreated},
		func(ctx context.Context, who *auth.Identity, in *trunkInput) (*created[trunkJSON], error) {
			t := trunks.Defaults()
			t.Name = in.Body.Name
			if err := in.Body.TrunkFields.apply(&t); err != nil {
				return nil, err
			}
			t, err := write(ctx, a, func(tx pgx.Tx) (trunks.Trunk, error) {
				made, err := a.cfg.Trunks.Create(ctx, tx, t)
				if err != nil {
					return made, err
				}
				return made, a.trunkAudit(ctx, tx, who, "trunk.create", t.Name, in.Body.TrunkFields)
			})
			if err != nil {
				return nil, err
			}
			a.cfg.Live.ConfigChanged(ChangedTrunks)
			return &created[trunkJSON]{Location: Prefix + "/trunks/" + url.PathEscape(t.Name), ETag: etag(t.Version), Body: a.trunkOf(t)}, nil
		})
	handle(a, op{method: "GET", path: "/trunks/{name}", summary: "Read a trunk", resource: auth.Trunks, verb: auth.Read},
		func(ctx context.Context, _ *auth.Identity, in *ByName) (*versioned[trunkJSON], error) {
			t, err := a.cfg.Trunks.Get(ctx, in.Name)
			return &versioned[trunkJSON]{ETag: etag(t.Version), Body: a.trunkOf(t)}, err
		})
	handle(a, op{method: "PATCH", path: "/trunks/{name}", summary: "Change a trunk", resource: auth.Trunks, verb: auth.Write}, a.changeTrunk)
	handle(a, op{method: "DELETE", path: "/trunks/{name}", summary: "Delete a trunk", resource: auth.Trunks, verb: auth.Write},
		func(ctx context.Context, who *auth.Identity, in *deleteTrunk) (*nothing, error) {
			version, err := in.version(false)
			if err != nil {
				return nil, err
			}
			err = a.tx(ctx, func(tx pgx.Tx) error {
				if err := a.cfg.Trunks.Delete(ctx, tx, in.Name, version); err != nil {
					return err
				}
				return a.trunkAudit(ctx, tx, who, "trunk.delete", in.Name, TrunkFields{})
			})
			if err == nil {
				a.cfg.Live.ConfigChanged(ChangedTrunks)
			}
			return &nothing{}, err
		})
}

func (a *API) changeTrunk(ctx context.Context, who *auth.Identity, in *trunkPatch) (*versioned[trunkJSON], error) {
	version, err := in.version(true)
	if err != nil {
		return nil, err
	}
	t, err := a.cfg.Trunks.Get(ctx, in.Name) // before the transaction: two connections per request would starve the pool
	if err != nil {
		return nil, err
	}
	if version != 0 && version != t.Version {
		return nil, stale()
	}
	if err := in.Body.apply(&t); err != nil {
		return nil, err
	}
	t, err = write(ctx, a, func(tx pgx.Tx) (trunks.Trunk, error) {
		out, err := a.cfg.Trunks.Update(ctx, tx, t) // holds the version read above against the row
		if err != nil {
			return out, err
		}
		return out, a.trunkAudit(ctx, tx, who, "trunk.update", t.Name, in.Body)
	})
	if err != nil {
		return nil, err
	}
	a.cfg.Live.ConfigChanged(ChangedTrunks)
	return &versioned[trunkJSON]{ETag: etag(t.Version), Body: a.trunkOf(t)}, nil
}

// trunkAudit names what was changed; the password is only named.
func (a *API) trunkAudit(ctx context.Context, tx pgx.Tx, who *auth.Identity, action, name string, f TrunkFields) error {
	return a.cfg.Auth.Audit(ctx, tx, who, auth.Entry{Action: action, Object: "trunk:" + name, Detail: map[string]any{"fields": names(f)}})
}

func (a *API) trunkOf(t trunks.Trunk) trunkJSON {
	j := trunkJSON{Name: t.Name, CIDRs: []string{}, AssertsIdentity: t.AssertsIdentity, Region: t.Region, AreaCode: t.AreaCode, Host: t.Host, Port: t.Port,
		Transport: t.Transport, User: t.User, PasswordSet: t.Password != "", Realm: t.Realm, Register: t.Register, RegisterEveryS: t.RegisterEveryS,
		MaxCalls: t.MaxCalls, UnknownNumber: t.UnknownNumber, CallerID: t.CallerID, Enabled: t.Enabled, State: a.cfg.Live.TrunkState(t.Name), Version: t.Version}
	for _, p := range t.CIDRs {
		j.CIDRs = append(j.CIDRs, p.String())
	}
	return j
}

// apply writes the fields that are set over a trunk.
func (f TrunkFields) apply(t *trunks.Trunk) error {
	if f.CIDRs != nil {
		t.CIDRs = make([]netip.Prefix, len(f.CIDRs))
		for i, s := range f.CIDRs {
			p, err := parseNetwork(s)
			if err != nil {
				return invalid(fmt.Sprintf("cidrs[%d]", i), "is not a network like 192.0.2.0/24")
			}
			t.CIDRs[i] = p
		}
	}
	set(&t.AssertsIdentity, f.AssertsIdentity)
	set(&t.Region, f.Region)
	set(&t.AreaCode, f.AreaCode)
	set(&t.Host, f.Host)
	set(&t.Port, f.Port)
	set(&t.Transport, f.Transport)
	set(&t.User, f.User)
	set(&t.Password, f.Password)
	set(&t.Realm, f.Realm)
	set(&t.Register, f.Register)
	set(&t.RegisterEveryS, f.RegisterEveryS)
	set(&t.MaxCalls, f.MaxCalls)
	set(&t.UnknownNumber, f.UnknownNumber)
	set(&t.CallerID, f.CallerID)
	set(&t.Enabled, f.Enabled)
	return nil
}

func set[T any](dst *T, v *T) {
	if v != nil {
		*dst = *v
	}
}

// parseNetwork reads 192.0.2.0/24, or a single address.
func parseNetwork(s string) (netip.Prefix, error) {
	s = strings.TrimSpace(s)
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.Unmap().Prefix(ip.Unmap().BitLen())
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, err
	}
	return p.Masked(), nil
}
