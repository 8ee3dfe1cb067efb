package tickets

import (
	"strings"
)

// ticketSearch is the condition for a search text on t: a ticket number, part of a telephone number, words of title and
// messages (stemmed in both languages, and as they stand), names of contact and organisation, and titles with slips of
// the pen. Empty text gives no condition.
func ticketSearch(plan DialPlan, text string, args *sqlArgs) string {
	text = clip(strings.TrimSpace(text), 200)
	if text == "" {
		return ""
	}
	q := args.add(text)
	or := []string{
		"t.id IN (SELECT f.ticket_id FROM ticket_search f WHERE f.tsv @@ (websearch_to_tsquery('russian', " + q + ") || websearch_to_tsquery('simple', " + q + ")))",
		"t.id IN (SELECT f.ticket_id FROM ticket_search f WHERE " + q + " <% f.title)",
		"t.contact_id IN (SELECT k.id FROM contact k WHERE " + nameMatch("k.name", q, text, args) + ")",
		"t.org_id IN (SELECT o.id FROM org o WHERE " + nameMatch("o.name", q, text, args) + ")",
	}
	if n, ok := ParseTicketNumber(text); ok {
		or = append(or, "t.number = "+args.add(n))
	}
	if cond := pointMatch(plan, text, args); cond != "" {
		or = append(or, "t.contact_id IN (SELECT p.contact_id FROM contact_point p WHERE "+cond+")", "t.org_id IN (SELECT p.org_id FROM contact_point p WHERE "+cond+")",
			"t.missed_key = "+args.add(ParseNumber(text, plan).Key()))
	}
	return " AND (" + strings.Join(or, " OR ") + ")"
}

// nameMatch finds names by part and with slips; the trigram index serves both.
func nameMatch(column, q, text string, args *sqlArgs) string {
	if len([]rune(text)) < 3 {
		return column + " ILIKE " + args.add(likePrefix(text))
	}
	return "(" + column + " ILIKE " + args.add("%"+likeEscape(text)+"%") + " OR " + q + " <% " + column + ")"
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
