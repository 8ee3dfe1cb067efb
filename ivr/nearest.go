package ivr

import "strings"

// nearest finds the valid name that a misspelt one was probably meant to be.
func nearest(name string, allowed []string) string {
	best, dist := "", 3
	if len(name) <= 4 {
		dist = 2
	}
	for _, a := range allowed {
		if d := editDistance(name, a); d < dist || (d == dist && best == "" && strings.HasPrefix(a, name) && len(name) > 2) {
			best, dist = a, d
		}
	}
	return best
}

// editDistance counts insertions, deletions, changes and swaps of neighbours. Long names count as far apart.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
