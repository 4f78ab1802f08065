//go:build !unix

package copy

import "io/fs"

// nonBlocking is nothing: there are no fifos among the files.
const nonBlocking = 0

// ownerOf returns nothing: there is no owner that a file's information tells.
func ownerOf(fs.FileInfo) string { return "" }

func deviceNumber(fs.FileInfo) uint64 { return 0 }
