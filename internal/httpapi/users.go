package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"

	"hotline/internal/auth"
	"hotline/queue"
)

// userJSON is an account as administrators see it.
type userJSON struct {
	Login       string             `json:"login"`
	Name        string             `json:"name"`
	Email       string             `json:"email"`
	Locale      string             `json:"locale"`
	Roles       []string           `json:"roles"`
	Teams       []auth.Membership  `json:"teams"`
	Queues      []queue.Membership `json:"queues"`
	Skills      map[string]int     `json:"skills"`
	Endpoint    string             `json:"endpoint" doc:"Empty: browser. registered: a desk phone that registers. Else its SIP address, or an endpoint of Asterisk (asterisk:PJSIP/desk1)."`
	Active      bool               `json:"active"`
	PasswordSet bool               `json:"password_set"`
	SIPSet      bool               `json:"sip_password_set"`
	Version     int                `json:"version"`
}

// UserFields are what a creation and a change have in common; what is absent stays as it is.
type UserFields struct {
	Name     *string            `json:"name,omitempty" maxLength:"200"`
	Email    *string            `json:"email,omitempty" maxLength:"254"`
	Locale   *string            `json:"locale,omitempty" enum:"ru,en"`
	Roles    []string           `json:"roles,omitempty" maxItems:"10" enum:"agent,supervisor,admin"`
	Teams    []auth.Membership  `json:"teams,omitempty" maxItems:"100"`
	Queues   []queue.Membership `json:"queues,omitempty" maxItems:"200"`
	Skills   map[string]int     `json:"skills,omitempty"`
	Endpoint *string            `json:"endpoint,omitempty" maxLength:"200"`
	Active   *bool              `json:"active,omitempty"`
}

type userInput struct {
	Body struct {
		Login    string  `json:"login" minLength:"1" maxLength:"40"`
		Password *string `json:"password,omitempty" maxLength:"200" doc:"Absent: the user cannot sign in until one is set"`
		UserFields
	}
}

type userPatch struct {
	Login string `path:"login" maxLength:"100"`
	Match
	Body UserFields
}

// ByLogin names an account.
type ByLogin struct {
	Login string `path:"login" maxLength:"100"`
}

type setPassword struct {
	ByLogin
	Body struct {
		Password *string `json:"password,omitempty" maxLength:"200" doc:"Absent: one is made"`
	}
}

type passwordOutput struct {
	Password string `json:"password" doc:"Shown this once"`
}

type sipPassword struct {
	User     string `json:"user"`
	Password string `json:"password" doc:"Shown this once"`
	Realm    string `json:"realm"`
}

func (a *API) userRoutes() {
	handle(a, op{method: "GET", path: "/users", summary: "List accounts", resource: auth.Users, verb: auth.Read}, a.listUsers)
	handle(a, op{method: "POST", path: "/users", summary: "Make an account", resource: auth.Users, verb: auth.Write, status: http.StatusCreated}, a.createUser)
	handle(a, op{method: "GET", path: "/users/{login}", summary: "Read an account", resource: auth.Users, verb: auth.Read},
		func(ctx context.Context, _ *auth.Identity, in *ByLogin) (*versioned[userJSON], error) {
			return a.readUser(ctx, in.Login)
		})
	handle(a, op{method: "PATCH", path: "/users/{login}", summary: "Change an account", resource: auth.Users, verb: auth.Write}, a.changeUser)
	handle(a, op{method: "POST", path: "/users/{login}/password", summary: "Set an account's password", resource: auth.Users, verb: auth.Write, secret: true},
		func(ctx context.Context, who *auth.Identity, in *setPassword) (*body[passwordOutput], error) {
			u, err := a.cfg.Auth.User(ctx, in.Login)
			if err != nil {
				return nil, err
			}
			given := ""
			if in.Body.Password != nil && *in.Body.Password != "" {
				given = *in.Body.Password
			}
			pw, err := a.cfg.Auth.SetPassword(ctx, who, u.Login, given)
			return &body[passwordOutput]{Body: passwordOutput{Password: pw}}, err
		})
	handle(a, op{method: "POST", path: "/users/{login}/sip-password", summary: "Make a new password for an account's desk phone", resource: auth.Users, verb: auth.Write, secret: true},
		func(ctx context.Context, who *auth.Identity, in *ByLogin) (*body[sipPassword], error) {
			user, pw, err := a.cfg.Auth.NewSIPPassword(ctx, who, in.Login)
			if err == nil {
				a.cfg.Live.ConfigChanged(ChangedAgents)
			}
			return &body[sipPassword]{Body: sipPassword{User: user, Password: pw, Realm: auth.Realm}}, err
		})
}

func (a *API) listUsers(ctx context.Context, _ *auth.Identity, in *Paging) (*body[list[userJSON]], error) {
	after, err := a.place("users", in.After)
	if err != nil {
		return nil, err
	}
	limit := in.Limit
	if limit == 0 {
		limit = 500
	}
	users, err := a.cfg.Auth.ListUsers(ctx, after, limit+1)
	if err != nil {
		return nil, err
	}
	queues, err := a.cfg.Queues.Memberships(ctx, "")
	if err != nil {
		return nil, err
	}
	skills, err := a.cfg.Queues.Skills(ctx, "")
	if err != nil {
		return nil, err
	}
	out := make([]userJSON, len(users))
	for i, u := range users {
		out[i] = userOf(u, queues[u.Login], skills[u.Login])
	}
	return &body[list[userJSON]]{Body: page(a, "users", out, limit, func(u userJSON) string { return u.Login })}, nil
}

func userOf(u auth.User, queues []queue.Membership, skills map[string]int) userJSON {
	j := userJSON{Login: u.Login, Name: u.Name, Email: u.Email, Locale: u.Locale, Roles: u.Roles, Teams: u.Teams, Queues: queues, Skills: skills,
		Endpoint: u.Endpoint, Active: u.Active, PasswordSet: u.Password, SIPSet: u.HasSIP, Version: u.Version}
	if j.Roles == nil {
		j.Roles = []string{}
	}
	if j.Teams == nil {
		j.Teams = []auth.Membership{}
	}
	if j.Queues == nil {
		j.Queues = []queue.Membership{}
	}
	if j.Skills == nil {
		j.Skills = map[string]int{}
	}
	return j
}

func (a *API) readUser(ctx context.Context, login string) (*versioned[userJSON], error) {
	u, err := a.cfg.Auth.User(ctx, login)
	if err != nil {
		return nil, err
	}
	queues, err := a.cfg.Queues.Memberships(ctx, u.Login)
	if err != nil {
		return nil, err
	}
	skills, err := a.cfg.Queues.Skills(ctx, u.Login)
	if err != nil {
		return nil, err
	}
	return &versioned[userJSON]{ETag: etag(u.Version), Body: userOf(u, queues[u.Login], skills[u.Login])}, nil
}

func (a *API) createUser(ctx context.Context, who *auth.Identity, in *userInput) (*created[userJSON], error) {
	b := in.Body
	if err := a.checkUser(ctx, b.UserFields); err != nil {
		return nil, err
	}
	steps := a.queueSteps(b.Login, b.UserFields)
	if b.Active != nil && !*b.Active {
		steps = append(steps, a.cfg.Auth.Deactivate(b.Login))
	}
	if b.Password != nil && *b.Password != "" {
		set, err := a.cfg.Auth.Password(ctx, who, b.Login, *b.Password)
		if err != nil {
			return nil, err
		}
		steps = append(steps, set)
	}
	u, err := a.cfg.Auth.CreateUser(ctx, who, auth.User{Login: b.Login, Name: deref(b.Name), Email: deref(b.Email), Locale: deref(b.Locale),
		Roles: b.Roles, Teams: b.Teams, Endpoint: deref(b.Endpoint)}, steps...)
	if err != nil {
		return nil, err
	}
	a.cfg.Live.ConfigChanged(ChangedAgents)
	out, err := a.readUser(ctx, u.Login)
	if err != nil {
		return nil, err
	}
	return &created[userJSON]{Location: Prefix + "/users/" + url.PathEscape(u.Login), ETag: out.ETag, Body: out.Body}, nil
}

func (a *API) changeUser(ctx context.Context, who *auth.Identity, in *userPatch) (*versioned[userJSON], error) {
	version, err := in.version(true)
	if err != nil {
		return nil, err
	}
	b := in.Body
	if err := a.checkUser(ctx, b); err != nil {
		return nil, err
	}
	u, err := a.cfg.Auth.UpdateUser(ctx, who, in.Login, version, auth.UserPatch{Name: b.Name, Email: b.Email, Locale: b.Locale, Roles: b.Roles,
		Teams: b.Teams, Endpoint: b.Endpoint, Active: b.Active}, a.queueSteps(in.Login, b)...)
	if err != nil {
		return nil, err
	}
	a.cfg.Live.ConfigChanged(ChangedAgents)
	return a.readUser(ctx, u.Login)
}

// checkUser looks at what the queue engine keeps before anything is written, so that a refused request changes nothing.
func (a *API) checkUser(ctx context.Context, f UserFields) error {
	for skill, level := range f.Skills {
		if skill == "" || len(skill) > 40 || level < 1 || level > 100 {
			return invalid("skills", "are names of up to 40 bytes with levels 1 to 100")
		}
	}
	if len(f.Skills) > 100 {
		return invalid("skills", "are 100 at most")
	}
	if len(f.Queues) == 0 {
		return nil
	}
	known, err := a.cfg.Queues.Queues(ctx)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for i, m := range f.Queues {
		found := false
		for _, q := range known {
			found = found || q.Key == m.Queue
		}
		if !found || seen[m.Queue] {
			return invalid(fmt.Sprintf("queues[%d].queue", i), "is unknown or named twice")
		}
		seen[m.Queue] = true
		if m.Level < 0 || m.Level > 1000 {
			return invalid(fmt.Sprintf("queues[%d].level", i), "is 0 to 1000")
		}
	}
	return nil
}

// queueSteps are the parts of a change that the queue engine keeps.
func (a *API) queueSteps(login string, f UserFields) (steps []auth.Also) {
	login = strings.ToLower(strings.TrimSpace(login))
	if f.Queues != nil {
		steps = append(steps, func(ctx context.Context, tx pgx.Tx) error { return queue.SetMembershipsIn(ctx, tx, login, f.Queues) })
	}
	if f.Skills != nil {
		steps = append(steps, func(ctx context.Context, tx pgx.Tx) error { return queue.SetSkillsIn(ctx, tx, login, f.Skills) })
	}
	return steps
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
