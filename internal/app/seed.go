package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/jackc/pgx/v5"

	"hotline/internal/auth"
	"hotline/internal/trunks"
	"hotline/queue"
	"hotline/tickets"
)

// demoPeople is who works in the demo company (design.md section 5).
var demoPeople = []struct {
	user   auth.User
	queues []queue.Membership
	skills map[string]int
	what   string
}{
	{auth.User{Login: "admin", Name: "Анна Админова", Email: "admin@demo.example", Locale: "ru", Roles: []string{"admin"}}, nil, nil, "administrator"},
	{auth.User{Login: "lead1", Name: "Лев Старшинов", Email: "lead1@demo.example", Locale: "ru", Roles: []string{"supervisor"},
		Teams: []auth.Membership{{Name: "Support", Access: "lead"}, {Name: "Experts", Access: "lead"}, {Name: "Engineering", Access: "lead"}}}, nil, nil, "supervisor: board, listen, whisper, barge"},
	{auth.User{Login: "agent1", Name: "Ольга Первова", Email: "agent1@demo.example", Locale: "ru", Roles: []string{"agent"}, Teams: []auth.Membership{{Name: "Support", Access: "full"}}},
		[]queue.Membership{{Queue: "support", Level: 1}, {Queue: "billing", Level: 1}}, map[string]int{"ru": 3, "en": 2}, "agent in the browser"},
	{auth.User{Login: "agent2", Name: "Peter Second", Email: "agent2@demo.example", Locale: "en", Roles: []string{"agent"}, Teams: []auth.Membership{{Name: "Support", Access: "full"}, {Name: "Experts", Access: "full"}}},
		[]queue.Membership{{Queue: "support", Level: 1}}, map[string]int{"en": 3, "ru": 2}, "agent in the browser"},
	{auth.User{Login: "desk1", Name: "Дмитрий Настольный", Locale: "ru", Roles: []string{"agent"}, Teams: []auth.Membership{{Name: "Support", Access: "full"}}, Endpoint: "registered"},
		[]queue.Membership{{Queue: "support", Level: 1}}, map[string]int{"ru": 3, "en": 1}, "agent with a SIP desk phone"},
}

// demoQueues are the demo company's queues.
func demoQueues() []queue.Queue {
	support := queue.Queue{Key: "support", Name: "Поддержка / Support", Strategy: queue.LongestIdle, RingTimeoutS: 20, WrapupS: 30, MaxWaitS: 600, MaxLen: 50, OnTimeout: queue.PolicyVoicemail,
		OnFull: queue.PolicyVoicemail, OnNoAgents: queue.PolicyWait, AnnounceFirstS: 15, AnnounceEveryS: 45, Record: "always", RetentionDays: 90, Team: "Support"}
	billing := support
	billing.Key, billing.Name, billing.WrapupS = "billing", "Расчёты / Billing", 20
	return []queue.Queue{support, billing}
}

// seed makes the demo company in an empty database, once. It never touches what is there.
func (a *App) seed(ctx context.Context) error {
	if !a.cfg.Demo {
		return nil
	}
	if _, err := a.auth.User(ctx, "admin"); err == nil {
		return nil
	} else if !errors.Is(err, auth.ErrNotFound) {
		return err
	}
	if err := a.db.Tx(ctx, func(tx pgx.Tx) error { return tickets.SeedDemo(ctx, tx, a.now) }); err != nil {
		return fmt.Errorf("demo customers: %w", err)
	}
	for _, q := range demoQueues() {
		if _, err := a.queues.CreateQueue(ctx, q.WithDefaults()); err != nil {
			return fmt.Errorf("demo queue %s: %w", q.Key, err)
		}
	}
	for _, p := range demoPeople[1:] {
		if err := a.seedPerson(ctx, p.user, p.queues, p.skills, p.what); err != nil {
			return err
		}
	}
	t := trunks.Defaults()
	t.Name, t.CIDRs, t.AssertsIdentity, t.UnknownNumber, t.AreaCode = "demo", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, true, "notice", "495"
	if a.byAsterisk() {
		t.Name = "provider" // the endpoint in deploy/asterisk
	}
	err := a.db.Tx(ctx, func(tx pgx.Tx) error {
		if _, err := a.trunks.Create(ctx, tx, t); err != nil {
			return err
		}
		if _, err := a.trunks.CreateNumber(ctx, tx, trunks.Number{Number: "100", Flow: "hotline", Label: "Голосовое меню / Voice menu"}); err != nil {
			return err
		}
		_, err := a.trunks.CreateNumber(ctx, tx, trunks.Number{Number: "200", Queue: "support", Label: "Сразу в очередь / Straight to the queue"})
		return err
	})
	if err != nil {
		return fmt.Errorf("demo trunk and numbers: %w", err)
	}
	// Again, now that the people are there: open tickets get owners, the premium customer its engineer.
	if err := a.db.Tx(ctx, func(tx pgx.Tx) error { return tickets.SeedDemo(ctx, tx, a.now) }); err != nil {
		return fmt.Errorf("demo customers: %w", err)
	}
	admin := demoPeople[0] // last: its account says that the seed is complete
	return a.seedPerson(ctx, admin.user, admin.queues, admin.skills, admin.what)
}

func (a *App) seedPerson(ctx context.Context, u auth.User, m []queue.Membership, skills map[string]int, what string) error {
	u.Active = true
	if _, err := a.auth.User(ctx, u.Login); errors.Is(err, auth.ErrNotFound) {
		if _, err := a.auth.CreateUser(ctx, nil, u); err != nil {
			return fmt.Errorf("demo user %s: %w", u.Login, err)
		}
	}
	password, err := a.auth.SetPassword(ctx, nil, u.Login, "")
	if err != nil {
		return fmt.Errorf("password of demo user %s: %w", u.Login, err)
	}
	if u.Endpoint != "" {
		if _, sipPassword, err := a.auth.NewSIPPassword(ctx, nil, u.Login); err != nil {
			return fmt.Errorf("SIP password of demo user %s: %w", u.Login, err)
		} else {
			a.passes = append(a.passes, Login{u.Login, sipPassword, "SIP registration of the desk phone (realm hotline)"})
		}
	}
	if len(m) > 0 {
		if err := errors.Join(a.queues.SetMemberships(ctx, u.Login, m), a.queues.SetSkills(ctx, u.Login, skills)); err != nil {
			return fmt.Errorf("queues of demo user %s: %w", u.Login, err)
		}
	}
	a.passes = append(a.passes, Login{u.Login, password, what})
	return nil
}

// Logins are the accounts made by this start, with their passwords: print them once.
func (a *App) Logins() []Login { return a.passes }
