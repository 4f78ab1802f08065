package main

import "strings"

// nearest returns the candidate that the user most likely meant, or nothing if none is close: at most a third of the
// letters typed wrong, or a beginning of one name only.
func nearest(typed string, candidates []string) string {
	best, bestDistance := "", max(1, len(typed)/3)+1
	if len(typed) < 3 {
		bestDistance = 1 // two letters resemble too much
	}
	var longer []string
	for _, c := range candidates {
		if d := editDistance(typed, c); d < bestDistance {
			best, bestDistance = c, d
		}
		if len(typed) > 1 && strings.HasPrefix(c, typed) {
			longer = append(longer, c)
		}
	}
	if best == "" && len(longer) == 1 {
		return longer[0]
	}
	return best
}

// editDistance counts the letters to insert, delete, replace or swap with a neighbour that turn a into b: the optimal
// string alignment distance (Damerau 1964).
func editDistance(a, b string) int {
	before := make([]int, len(b)+1) // the row above the last
	last := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
