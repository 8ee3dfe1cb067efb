// Package say is in charge of spoken values: numbers, dates, times, money and durations become words in Russian and
// English with the right endings. It knows nothing of sound beyond the names of recorded fragments.
//
// Plural categories are CLDR's (one, few, many, other). Russian numerals agree in gender and case:
//
//   - gender changes only a final 1 and 2; тысяча is feminine, миллион masculine;
//   - the accusative differs from the nominative only for a feminine one (одну минуту, одну тысячу);
//   - the genitive changes every word; its noun is genitive singular after a final one, genitive plural otherwise.
package say
