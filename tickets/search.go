package tickets

import (
	"strings"
)

// ticketSearch is the condition for a search text on t: a ticket number, part of a telephone number, words of title and
// messages (stemmed in both languages, and as they stand), names of contact and organisation. loose looks for slips of
// the pen in titles and names instead. Empty text gives no condition.
func ticketSearch(plan DialPlan, text string, loose bool, args *sqlArgs) string {
	text = clip(strings.TrimSpace(text), 200)
	if text == "" {
		return ""
	}
	q := args.add(text)
	by := func(column, ids string) string {
		return "SELECT x.id FROM ticket x WHERE x." + column + " IN (" + ids + ")"
	}
	words := "f.tsv @@ (websearch_to_tsquery('russian', " + q + ") || websearch_to_tsquery('simple', " + q + "))"
	if loose {
		words = q + " <% f.title"
	}
	found := []string{
		"SELECT f.ticket_id FROM ticket_search f WHERE " + words,
		by("contact_id", "SELECT k.id FROM contact k WHERE "+nameMatch("k.name", q, text, loose, args)),
		by("org_id", "SELECT o.id FROM org o WHERE "+nameMatch("o.name", q, text, loose, args)),
	}
	if n, ok := ParseTicketNumber(text); ok {
		found = append(found, "SELECT x.id FROM ticket x WHERE x.number = "+args.add(n))
	}
	if cond := pointMatch(plan, text, args); cond != "" {
		found = append(found, by("contact_id", "SELECT p.contact_id FROM contact_point p WHERE "+cond), by("org_id", "SELECT p.org_id FROM contact_point p WHERE "+cond),
			"SELECT x.id FROM ticket x WHERE x.missed_key = "+args.add(ParseNumber(text, plan).Key()))
	}
	return " AND t.id IN (" + strings.Join(found, " UNION ALL ") + ")" // each way by its own index
}

// nameMatch finds names by part, or (loose) with slips of the pen; the trigram index serves both.
func nameMatch(column, q, text string, loose bool, args *sqlArgs) string {
	switch {
	case len([]rune(text)) < 3:
		return column + " ILIKE " + args.add(likePrefix(text))
	case loose:
		return q + " <% " + column
	}
	return column + " ILIKE " + args.add("%"+likeEscape(text)+"%")
}

// nameSearch finds names by part and with slips of the pen, for lists of names.
func nameSearch(column, text string, args *sqlArgs) string {
	if len([]rune(text)) < 3 {
		return nameMatch(column, "", text, false, args)
	}
	q := args.add(text)
	return "(" + nameMatch(column, q, text, false, args) + " OR " + nameMatch(column, q, text, true, args) + ")"
}

func likePrefix(s string) string { return likeEscape(s) + "%" }

// likeEscape takes the meaning from the wildcards of LIKE.
func likeEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

// pointMatch is the condition on p (contact_point) for a text that may be a telephone number: the whole number, or its
// last seven digits or more. Empty when the text has too few digits, or words.
func pointMatch(plan DialPlan, text string, args *sqlArgs) string {
	digits, ok := plainDigits(strings.TrimPrefix(text, "+"))
	if !ok || len(digits) < 7 {
		return ""
	}
	cond := "p.kind = 'phone' AND right(p.value_norm, 7) = " + args.add(digits[len(digits)-7:]) + " AND p.value_norm LIKE " + args.add("%"+digits)
	if n := ParseNumber(text, plan); n.E164 != "" {
		return "(p.kind = 'phone' AND (p.value_norm = " + args.add(n.E164) + " OR p.alt_keys @> ARRAY[" + args.add(n.E164) + "]) OR " + cond + ")"
	}
	return "(" + cond + ")"
}
