package tickets

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestContacts(t *testing.T) {
	f := newFix(t)
	ctx := context.Background()
	change := func(do func(tx pgx.Tx) (Contact, error)) (c Contact, err error) {
		err = f.try(func(ctx context.Context, tx pgx.Tx) error { c, err = do(tx); return err })
		return c, err
	}
	c, err := change(func(tx pgx.Tx) (Contact, error) {
		return f.s.CreateContact(ctx, tx, f.anna, NewContact{Name: "Olga", OrgID: f.acme, Points: []NewPoint{{Kind: "phone", Value: "8 (495) 765-43-21 доб. 7"}, {Kind: "email", Value: " Olga@Example.COM "}}})
	})
	f.must(err)
	if len(c.Points) != 2 || c.Points[1].Value != "+74957654321" || c.Points[1].Ext != "7" || c.Points[0].Value != "olga@example.com" || c.Org.ID != f.acme {
		t.Errorf("created: %+v", c)
	}
	// A personal number somebody has: conflict that names the owner; shared goes.
	add := func(id int64, p NewPoint) (Contact, error) {
		return change(func(tx pgx.Tx) (Contact, error) { return f.s.AddPoint(ctx, tx, f.anna, id, p) })
	}
	_, err = add(c.ID, NewPoint{Kind: "phone", Value: f.ivanPhone})
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeConflict || e.Detail.(pointOwner).ContactID != f.ivan {
		t.Errorf("owned: %v", err)
	}
	if _, err = add(c.ID, NewPoint{Kind: "phone", Value: f.ivanPhone, Sharing: "shared"}); err != nil {
		t.Errorf("shared: %v", err)
	}
	// The same number with another extension: the contact has it, and is told which field to look at.
	_, err = add(c.ID, NewPoint{Kind: "phone", Value: "+74957654321", Ext: "8"})
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeConflict || e.Field != "value" || e.Detail.(pointOwner).ContactID != c.ID {
		t.Errorf("another extension: %v", err)
	}
	for field, p := range map[string]NewPoint{"value": {Kind: "phone", Value: "12"}, "kind": {Kind: "fax", Value: "1"}, "sharing": {Kind: "email", Value: "a@b", Sharing: "x"}} {
		if _, err := add(c.ID, p); codeOf(err) != CodeInvalid {
			t.Errorf("%s: %v", field, err)
		}
	}
	f.exec(`INSERT INTO own_address (kind, value_norm) VALUES ('phone', '+74950000001')`)
	if _, err = add(c.ID, NewPoint{Kind: "phone", Value: "+74950000001"}); codeOf(err) != CodeInvalid {
		t.Errorf("our own number: %v", err)
	}
	// A bare number of a missed call goes to the person it is given to, ticket and all.
	l := f.ended(f.call(f.newPhone, abandoned(time.Minute)))
	if c, err = add(c.ID, NewPoint{Kind: "phone", Value: f.newPhone}); err != nil {
		t.Fatal(err)
	}
	if tk := f.get(l.Ticket.Number); tk.Contact.ID != c.ID {
		t.Errorf("ticket still belongs to %+v", tk.Contact)
	}
	if got, err := f.s.GetContact(ctx, f.anna, l.ContactID); err != nil || got.ID != c.ID {
		t.Errorf("the bare contact leads to %+v, %v", got, err)
	}
	// Find by each door.
	for name, q := range map[string]ContactFilter{"phone": {Phone: "8 999 000 11 22"}, "email": {Email: "OLGA@example.com"}, "name": {Query: "olg"}, "mail part": {Query: "olga@"}, "digits": {Query: "0001122"}} {
		p, err := f.s.ListContacts(ctx, f.anna, q)
		if err != nil || len(p.Data) != 1 || p.Data[0].ID != c.ID {
			t.Errorf("%s: %+v %v", name, p.Data, err)
		}
	}
	if p, err := f.s.ContactTickets(ctx, f.anna, c.ID, 0, ""); err != nil || len(p.Data) != 1 {
		t.Errorf("tickets: %+v %v", p, err)
	}
	if p, err := f.s.ContactCalls(ctx, f.anna, c.ID, 0, ""); err != nil || len(p.Data) != 1 {
		t.Errorf("calls: %+v %v", p, err)
	}
	// Remove, patch, versions.
	c, err = change(func(tx pgx.Tx) (Contact, error) { return f.s.RemovePoint(ctx, tx, f.anna, c.ID, c.Points[0].ID) })
	f.must(err)
	if _, err = change(func(tx pgx.Tx) (Contact, error) { return f.s.RemovePoint(ctx, tx, f.anna, f.ivan, c.Points[0].ID) }); !errors.Is(err, ErrNotFound) {
		t.Errorf("somebody else's point: %v", err)
	}
	patch := func(version int, p ContactPatch) (Contact, error) {
		return change(func(tx pgx.Tx) (Contact, error) { return f.s.PatchContact(ctx, tx, f.anna, c.ID, version, p) })
	}
	got, err := patch(c.Version, ContactPatch{Name: ptr("Olga K."), OrgID: ptr(int64(0)), Blocked: ptr(true)})
	f.must(err)
	if got.Name != "Olga K." || got.Org != nil || !got.Blocked || got.Version != c.Version+1 {
		t.Errorf("patched: %+v", got)
	}
	if _, err = patch(c.Version, ContactPatch{Name: ptr("x")}); codeOf(err) != CodePrecondition {
		t.Errorf("old version: %v", err)
	}
	powerless := f.anna
	powerless.Permissions = nil
	if _, err = change(func(tx pgx.Tx) (Contact, error) { return f.s.PatchContact(ctx, tx, powerless, c.ID, 0, ContactPatch{}) }); !errors.Is(err, ErrForbidden) {
		t.Errorf("without the permission: %v", err)
	}
}

func TestOrgs(t *testing.T) {
	f := newFix(t)
	ctx := context.Background()
	change := func(do func(tx pgx.Tx) (Org, error)) (o Org, err error) {
		err = f.try(func(ctx context.Context, tx pgx.Tx) error { o, err = do(tx); return err })
		return o, err
	}
	o, err := change(func(tx pgx.Tx) (Org, error) {
		return f.s.CreateOrg(ctx, tx, f.lead, NewOrg{Name: "Вектор", Points: []NewPoint{{Kind: "phone", Value: "+7 812 000-03-00"}}})
	})
	f.must(err)
	if o.Points[0].Sharing != "shared" || o.ClientPriority != 2 {
		t.Errorf("created: %+v", o)
	}
	if c, err := f.s.Lookup(ctx, CallParty{Raw: "+78120000300", Trust: TrustAsserted}); err != nil || c.Rule != "L6" || c.Org.ID != o.ID {
		t.Errorf("its switchboard: %+v %v", c, err)
	}
	if p, err := f.s.ListOrgs(ctx, f.anna, OrgFilter{Query: "вект"}); err != nil || len(p.Data) != 1 {
		t.Errorf("search: %+v %v", p, err)
	}
	if o, err = change(func(tx pgx.Tx) (Org, error) {
		return f.s.PatchOrg(ctx, tx, f.lead, o.ID, o.Version, OrgPatch{ClientPriority: ptr(1)})
	}); err != nil || o.ClientPriority != 1 {
		t.Errorf("patch: %+v %v", o, err)
	}
	if _, err = change(func(tx pgx.Tx) (Org, error) { return f.s.PatchOrg(ctx, tx, f.anna, o.ID, 0, OrgPatch{}) }); !errors.Is(err, ErrForbidden) {
		t.Errorf("an agent: %v", err)
	}
	if _, err = f.s.GetOrg(ctx, f.anna, 999999); !errors.Is(err, ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
}

func TestCallbacks(t *testing.T) {
	f := newFix(t)
	ctx := context.Background()
	l := f.ended(f.call(f.newPhone, abandoned(time.Minute)))
	p, err := f.s.ListCallbacks(ctx, f.anna, CallbackFilter{})
	f.must(err)
	if len(p.Data) != 1 || p.Data[0].Number != f.newPhone || p.Data[0].Ticket.Number != l.Ticket.Number || p.Data[0].ID != l.CallbackID {
		t.Fatalf("waiting: %+v", p.Data)
	}
	if q, err := f.s.ListCallbacks(ctx, f.boris, CallbackFilter{}); err != nil || len(q.Data) != 0 {
		t.Errorf("a foreign team sees %+v, %v", q.Data, err)
	}
	end := func(a Actor, state string) error {
		return f.try(func(ctx context.Context, tx pgx.Tx) error {
			_, err := f.s.PatchCallback(ctx, tx, a, l.CallbackID, state)
			return err
		})
	}
	if err := end(f.boris, "done"); !errors.Is(err, ErrNotFound) {
		t.Errorf("foreign: %v", err)
	}
	f.must(end(f.anna, "done"))
	f.must(end(f.anna, "done"))
	if err := end(f.anna, "cancelled"); codeOf(err) != CodeConflict {
		t.Errorf("another end: %v", err)
	}
}
