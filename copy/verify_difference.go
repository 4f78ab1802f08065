package copy

import "fmt"

// Difference is one name that is not the same in both trees. It is an error, whose text names the paths.
type Difference struct {
	Kind DifferenceKind
	// Path is the name's path in the trees, with slashes; empty for the operands themselves.
	Path string
	// Source and Dest are the paths on both sides, whether there is something or not. Checked against a list, Source is
	// empty.
	Source, Dest string
	// Detail says in words what differs; empty where Kind says it all.
	Detail string
}

// DifferenceKind says in which way two names differ.
type DifferenceKind int

const (
	DifferenceMissing  DifferenceKind = iota // only in the source; for a folder, with all in it
	DifferenceExtra                          // only in the destination; for a folder, with all in it
	DifferenceType                           // a file and a folder, for example
	DifferenceContent                        // size, bytes, where a link leads, a device's number
	DifferenceMetadata                       // nothing else
)

func (d *Difference) Error() string {
	switch {
	case d.Kind == DifferenceMissing && d.Source == "": // a list has names and hashes, no files
		return d.Dest + " is missing"
	case d.Kind == DifferenceMissing:
		return fmt.Sprintf("%s is missing: there is only %s", d.Dest, d.Source)
	case d.Kind == DifferenceExtra:
		return fmt.Sprintf("%s is extra: there is no %s", d.Dest, d.Source)
	case d.Source == "":
		return fmt.Sprintf("%s differs in %s", d.Dest, d.Detail)
	}
	return fmt.Sprintf("%s and %s differ in %s", d.Source, d.Dest, d.Detail)
}
