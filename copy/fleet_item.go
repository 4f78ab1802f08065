package copy

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/zeebo/xxh3"
)

// What an item of a fleet's copy is.
const (
	itemStart   = "start"   // the sources themselves
	itemList    = "list"    // a folder: make it, and add what is in it
	itemSmall   = "small"   // files of a folder that one worker copies
	itemEntries = "entries" // what a folder holds besides files and folders
	itemBegin   = "begin"   // a large file: add its chunks
	itemChunk   = "chunk"   // of a large file
	itemFinish  = "finish"  // a large file of which all chunks are done
	itemClose   = "close"   // a folder of which all is done
	itemSettle  = "settle"  // the job, of which all is done
)

// The ranks of their keys. What ends something comes first and what begins something last, so that what waits stays little.
const (
	rankList  = "0/"
	rankBegin = "1/"
	rankSmall = "2/"
	rankFirst = "3/"
)

// fleetItem is something to do, in the words that all workers share. Which fields there are depends on its kind.
type fleetItem struct {
	kind   string
	source int    // which of the sources
	rel    string // in it

	names   []string // of small and entries
	size    int64    // of a large file, as are the next
	version string   // that begin has found
	chunk   int64    // bytes of each but the last
	token   string   // what the sink is attached by
	index   int64    // of a chunk
}

// Fields are apart by NUL, which no path has, and names by a slash.
func (it fleetItem) String() string {
	fields := []string{it.kind, strconv.Itoa(it.source), it.rel}
	switch it.kind {
	case itemSmall, itemEntries:
		fields = append(fields, strings.Join(it.names, "/"))
	case itemChunk, itemFinish:
		fields = append(fields, strconv.FormatInt(it.size, 10), it.version, strconv.FormatInt(it.chunk, 10), it.token, "")
	}
	return strings.Join(fields, "\x00") // the script puts the index behind the last
}

var errItem = errors.New("an item of the job makes no sense: was it begun by another version?")

func parseFleetItem(payload []byte) (fleetItem, error) {
	f := strings.Split(string(payload), "\x00")
	if len(f) < 3 {
		return fleetItem{}, errItem
	}
	it := fleetItem{kind: f[0], rel: f[2]}
	number := func(text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			it.kind = ""
		}
		return n
	}
	it.source = int(number(f[1]))
	switch it.kind {
	case itemSmall, itemEntries:
		if len(f) != 4 {
			return it, errItem
		}
		it.names = strings.Split(f[3], "/")
	case itemChunk, itemFinish:
		if len(f) != 8 {
			return it, errItem
		}
		it.size, it.version, it.chunk, it.token = number(f[3]), f[4], number(f[5]), f[6]
		if it.kind == itemChunk {
			it.index = number(f[7])
		}
	}
	if it.kind == "" {
		return it, errItem
	}
	return it, nil
}

// at returns the bytes of a chunk.
func (it fleetItem) at() chunk {
	off := it.index * it.chunk
	return chunk{off, min(it.chunk, it.size-off)}
}

// The group of all sources.
const groupTop = "top"

// groupName returns the name of the group of a folder or a large file.
func groupName(kind string, source int, rel string) string {
	sum := xxh3.HashString128(fmt.Sprintf("%s %d %s", kind, source, rel)).Bytes()
	return kind + hex.EncodeToString(sum[:])
}

func folderGroup(source int, rel string) string { return groupName("d", source, rel) }
func fileGroup(source int, rel string) string   { return groupName("f", source, rel) }

// join returns the path of name in the folder rel.
func join(rel, name string) string {
	switch {
	case rel == "":
		return name
	case name == "":
		return rel
	}
	return rel + "/" + name
}

// above returns the folder of rel; "" is also that of what stands at the top. In a key a part can be empty: what follows is
// of the folder before, as is a slash at its end.
func above(rel string) string {
	i := strings.Index(rel, "//")
	if i < 0 {
		i = strings.LastIndexByte(rel, '/')
	}
	return rel[:max(i, 0)]
}

// FleetItem returns what an item of a fleet's copy is about, in words.
func FleetItem(payload []byte) string {
	it, err := parseFleetItem(payload)
	if err != nil {
		return ""
	}
	switch it.kind {
	case itemStart, itemSettle:
		return it.kind
	case itemSmall, itemEntries:
		return fmt.Sprintf("%d files in %q", len(it.names), it.rel)
	case itemChunk:
		return fmt.Sprintf("bytes from %d of %q", it.at().off, it.rel)
	}
	return fmt.Sprintf("%s %q", it.kind, it.rel)
}
