package main

import (
	"os"
	"slices"

	filecopy "pace/copy"
)

// objectStore says which object store is meant, and who asks it, if one is: as the AWS tools have it.
func objectStore(o *filecopy.Options) error {
	if !filecopy.IsS3(o.Dest) && !slices.ContainsFunc(o.Sources, filecopy.IsS3) {
		return nil
	}
	var err error
	o.S3, err = filecopy.S3FromEnvironment(os.Getenv)
	if err != nil {
		return usagef("copy", "%v", err)
	}
	return nil
}
