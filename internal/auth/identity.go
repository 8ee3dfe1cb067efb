package auth

import (
	"context"
	"fmt"
	"slices"
)

// Team is a membership of an agent.
type Team struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Line   int    `json:"line"`
	Access string `json:"access" enum:"read,reply,full,lead"`
}

// Kinds of agents: what rings for them.
const (
	KindBrowser = "browser"
	KindDesk    = "desk"
)

// Identity is who makes a request: an active agent, by session or by token.
type Identity struct {
	AgentID      int64
	Login        string
	Name         string
	Locale       string
	Reads        string // language of this request's texts, when the page asks for one: ru or en; empty: Locale
	Kind         string // KindBrowser or KindDesk
	PartnerOrgID int64  // external agent: the partner's organisation; 0: our own
	Roles        []string
	Permissions  []string
	Teams        []Team // of an external agent only those of their partner, whatever else they were made a member of

	SessionID int64    // 0 for a token
	TokenID   int64    // 0 for a session
	TokenName string   // name of the token
	Scopes    []string // of the token; a session has no such limit
	IP        string   // where the request came from, for the audit log
}

// Can reports whether a role carries the permission. It says nothing about scopes: see May.
func (id *Identity) Can(permission string) bool { return slices.Contains(id.Permissions, permission) }

// HasRole reports whether the agent has the role.
func (id *Identity) HasRole(role string) bool { return slices.Contains(id.Roles, role) }

// Via names the way of signing in, for the audit log.
func (id *Identity) Via() string {
	if id.TokenID != 0 {
		return "token:" + id.TokenName
	}
	return "session"
}

// Subject names who counts for rate limits and stored answers: one token, or one person over all sessions.
func (id *Identity) Subject() string {
	if id.TokenID != 0 {
		return fmt.Sprintf("token:%d", id.TokenID)
	}
	return fmt.Sprintf("agent:%d", id.AgentID)
}

const identityColumns = `a.id, a.login::text, a.name, a.locale, coalesce(a.partner_org_id, 0),
  CASE WHEN coalesce(c.endpoint, '') = '' THEN 'browser' ELSE 'desk' END,
  ARRAY(SELECT r.key FROM agent_role ar JOIN role r ON r.id = ar.role_id WHERE ar.agent_id = a.id ORDER BY r.key),
  ARRAY(SELECT DISTINCT p FROM agent_role ar JOIN role r ON r.id = ar.role_id, unnest(r.permissions) p WHERE ar.agent_id = a.id ORDER BY p),
  coalesce((SELECT jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name, 'line', t.line, 'access', m.access) ORDER BY t.line, t.name)
            FROM team_member m JOIN team t ON t.id = m.team_id WHERE m.agent_id = a.id
            AND (a.partner_org_id IS NULL OR t.partner_org_id = a.partner_org_id)), '[]')`

// fields are the targets of identityColumns.
func (id *Identity) fields() []any {
	return []any{&id.AgentID, &id.Login, &id.Name, &id.Locale, &id.PartnerOrgID, &id.Kind, &id.Roles, &id.Permissions, &id.Teams}
}

// Lookup loads an active agent by login, without session or token: for work done in somebody's name by the program.
func (s *Service) Lookup(ctx context.Context, login string) (*Identity, error) {
	id := &Identity{}
	err := s.pool.QueryRow(ctx, `SELECT `+identityColumns+`
		FROM agent a LEFT JOIN agent_account c ON c.agent_id = a.id WHERE a.login = $1 AND a.active`, login).Scan(id.fields()...)
	if err != nil {
		return nil, absent("look up account "+login, err)
	}
	return id, nil
}
