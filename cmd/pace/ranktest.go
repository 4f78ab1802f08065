package main

import (
	"math"
	"slices"
)

// rankTest returns how likely two samples are to differ at least as much as a and b do, in either direction, if both come
// from one distribution, whatever that is: the two-sided p-value of the test of Mann and Whitney (1947), with mean ranks
// for values that are equal. For up to 50 values it is exact.
func rankTest(a, b []float64) float64 {
	ranks, ties := doubledRanks(a, b)
	var sum int
	for _, r := range ranks[:len(a)] {
		sum += r
	}
	if len(ranks) > 50 {
		return normalRankTest(float64(sum)/2, float64(len(a)), float64(len(b)), ties)
	}
	atMost, atLeast := rankTails(ranks, len(a), sum)
	return min(1, 2*min(atMost, atLeast))
}

// doubledRanks returns twice the rank of each value of a, then of b, among all of them: a mean rank may be a half. ties is
// the sum of t³-t over the groups of t equal values.
func doubledRanks(a, b []float64) (ranks []int, ties float64) {
	all := slices.Concat(a, b)
	sorted := slices.Sorted(slices.Values(all))
	for _, v := range all {
		first, _ := slices.BinarySearch(sorted, v)
		equal := 0
		for _, w := range sorted[first:] {
			if w != v {
				break
			}
			equal++
		}
		ranks = append(ranks, 2*first+equal+1)
		ties += float64(equal*equal - 1) // each of t values adds t²-1
	}
	return ranks, ties
}

// rankTails returns which shares of all ways to choose n of the ranks have at most, and at least, this sum. It counts
// them rank by rank (the shift algorithm of Streitberg and Röhmel, 1986), which is right for equal ranks too.
func rankTails(ranks []int, n, sum int) (atMost, atLeast float64) {
	total := 0
	for _, r := range ranks {
		total += r
	}
	ways := make([][]float64, n+1) // by how many are chosen, then by their sum
	for i := range ways {
		ways[i] = make([]float64, total+1)
	}
	ways[0][0] = 1
	for _, r := range ranks {
		for chosen := n; chosen > 0; chosen-- {
			for s := total; s >= r; s-- {
				ways[chosen][s] += ways[chosen-1][s-r]
			}
		}
	}
	var all float64
	for s, w := range ways[n] {
		all += w
		if s <= sum {
			atMost += w
		}
		if s >= sum {
			atLeast += w
		}
	}
	return atMost / all, atLeast / all
}

// normalRankTest approximates the test for many values, with corrections for ties and continuity.
func normalRankTest(rankSum, n, m, ties float64) float64 {
	total := n + m
	u := rankSum - n*(n+1)/2
	variance := n * m / 12 * (total + 1 - ties/(total*(total-1)))
	if variance <= 0 {
		return 1 // all values are equal
	}
	z := max(math.Abs(u-n*m/2)-0.5, 0) / math.Sqrt(variance)
	return math.Erfc(z / math.Sqrt2)
}
