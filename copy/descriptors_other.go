//go:build !unix

package copy

func descriptorLimit() int { return 0 }
