package tickets

import "slices"

// Permissions that roles carry. The first migration gives them to the roles agent, supervisor and admin.
const (
	PermReadAll       = "ticket.read_all"  // see every ticket
	PermWriteAll      = "ticket.write_all" // change every ticket seen, whatever the team access
	PermCallsAll      = "call.read_all"    // see every call, unlinked and teamless ones too
	PermContactWrite  = "contact.write"
	PermOrgWrite      = "org.write"
	PermCallbackWrite = "callback.write"
)

// Access is what a member may do to the tickets of a team.
type Access string

// Levels of access, from least to most.
const (
	AccessRead  Access = "read"  // look only
	AccessReply Access = "reply" // write notes and replies
	AccessFull  Access = "full"  // change fields, status, links
	AccessLead  Access = "lead"  // full, and sees tickets that passed through the team
)

var accessRank = map[Access]int{AccessRead: 1, AccessReply: 2, AccessFull: 3, AccessLead: 4}

// atLeast reports whether a is as much as min; an unknown level is nothing.
func (a Access) atLeast(min Access) bool { return accessRank[a] >= accessRank[min] }

// TeamAccess is a membership.
type TeamAccess struct {
	TeamID int64  `json:"id"`
	Name   string `json:"name"`
	Line   int    `json:"line"`
	Access Access `json:"access"`
}

// Actor is who asks. It is loaded once per request (Service.Actor) or made by SystemActor.
type Actor struct {
	AgentID     int64        `json:"id"` // 0: not a person
	Login       string       `json:"login"`
	Name        string       `json:"name"`
	Locale      string       `json:"locale"` // ru or en: language of ReasonText in views
	Roles       []string     `json:"roles"`
	Permissions []string     `json:"permissions"`
	Teams       []TeamAccess `json:"teams"`
	// PartnerOrgID marks an external agent: only tickets of that partner's teams, no other clients. 0: our own.
	PartnerOrgID int64 `json:"partner_org_id,omitempty"`

	system bool
}

// SystemActor is the program itself: it sees and may do everything; events name it "system".
func SystemActor() Actor { return Actor{Login: "system", Locale: "en", system: true} }

// Can reports whether one of the roles carries the permission.
func (a Actor) Can(permission string) bool {
	return a.system || slices.Contains(a.Permissions, permission)
}

// access is the actor's level in a team; empty when not a member.
func (a Actor) access(team int64) Access {
	for _, t := range a.Teams {
		if t.TeamID == team {
			return t.Access
		}
	}
	return ""
}

func (a Actor) teamIDs() []int64 {
	ids := make([]int64, 0, len(a.Teams))
	for _, t := range a.Teams {
		ids = append(ids, t.TeamID)
	}
	return ids
}

func (a Actor) leadIDs() []int64 {
	ids := []int64{}
	for _, t := range a.Teams {
		if t.Access == AccessLead {
			ids = append(ids, t.TeamID)
		}
	}
	return ids
}

// kind and id as events store them.
func (a Actor) eventActor() (kind string, id *int64) {
	if a.system || a.AgentID == 0 {
		return "system", nil
	}
	return "agent", &a.AgentID
}
