package httpapi

import (
	"context"
	"net/http"

	"hotline/internal/auth"
)

// me is the signed-in agent.
type me struct {
	ID          int64       `json:"id"`
	Login       string      `json:"login"`
	Name        string      `json:"name"`
	Locale      string      `json:"locale"`
	Roles       []string    `json:"roles"`
	Permissions []string    `json:"permissions"`
	Teams       []auth.Team `json:"teams"`
	Kind        string      `json:"kind" enum:"browser,desk" doc:"What rings for the agent"`
}

type session struct {
	Agent me `json:"agent"`
}

func meOf(who *auth.Identity) session {
	m := me{ID: who.AgentID, Login: who.Login, Name: who.Name, Locale: who.Locale, Roles: who.Roles, Permissions: who.Permissions, Teams: who.Teams, Kind: who.Kind}
	if m.Teams == nil {
		m.Teams = []auth.Team{}
	}
	return session{Agent: m}
}

type loginInput struct {
	Body struct {
		Login    string `json:"login" minLength:"1" maxLength:"100"`
		Password string `json:"password" minLength:"1" maxLength:"200"`
	}
}

type loginOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      session
}

type logoutOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

type mePatch struct {
	Body struct {
		Name   *string `json:"name,omitempty" minLength:"1" maxLength:"200"`
		Locale *string `json:"locale,omitempty" enum:"ru,en"`
	}
}

type passwordInput struct {
	Body struct {
		Old string `json:"old" maxLength:"200"`
		New string `json:"new" maxLength:"200"`
	}
}

func (a *API) sessionRoutes() {
	handle(a, op{method: "POST", path: "/session", summary: "Sign in", resource: auth.Self, verb: auth.Write, public: true},
		func(ctx context.Context, _ *auth.Identity, in *loginInput) (*loginOutput, error) {
			i := infoOf(ctx)
			token, who, err := a.cfg.Auth.Login(ctx, in.Body.Login, in.Body.Password, auth.Source{IP: i.ip, UserAgent: i.req.UserAgent()})
			if err != nil {
				return nil, err
			}
			i.who = who
			return &loginOutput{SetCookie: *a.cfg.Auth.Cookie(i.req, token), Body: meOf(who)}, nil
		})
	handle(a, op{method: "GET", path: "/session", summary: "Who am I", resource: auth.Self, verb: auth.Read},
		func(_ context.Context, who *auth.Identity, _ *none) (*body[session], error) {
			return &body[session]{Body: meOf(who)}, nil
		})
	handle(a, op{method: "DELETE", path: "/session", summary: "Sign out", resource: auth.Self, verb: auth.Write},
		func(ctx context.Context, who *auth.Identity, _ *none) (*logoutOutput, error) {
			if err := a.cfg.Auth.Logout(ctx, who); err != nil {
				return nil, err
			}
			return &logoutOutput{SetCookie: *a.cfg.Auth.Cookie(infoOf(ctx).req, "")}, nil
		})
	handle(a, op{method: "PATCH", path: "/me", summary: "Change one's own name and language", resource: auth.Self, verb: auth.Write},
		func(ctx context.Context, who *auth.Identity, in *mePatch) (*body[session], error) {
			if err := a.cfg.Auth.UpdateSelf(ctx, who, in.Body.Name, in.Body.Locale); err != nil {
				return nil, err
			}
			if in.Body.Name != nil {
				who.Name = *in.Body.Name
			}
			if in.Body.Locale != nil {
				who.Locale = *in.Body.Locale
			}
			return &body[session]{Body: meOf(who)}, nil
		})
	handle(a, op{method: "POST", path: "/me/password", summary: "Change one's own password", resource: auth.Self, verb: auth.Write, status: http.StatusNoContent},
		func(ctx context.Context, who *auth.Identity, in *passwordInput) (*nothing, error) {
			err := a.cfg.Auth.ChangePassword(ctx, who, in.Body.Old, in.Body.New)
			if p := accountProblem(err); p != nil && p.Code == "wrong_password" { // not 401: the session is fine
				return nil, &Problem{Status: http.StatusForbidden, Code: "wrong_password", Field: "old", Detail: "the old password is wrong"}
			}
			return &nothing{}, err
		})
}
