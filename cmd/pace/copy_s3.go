package main

import (
	"cmp"
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

// fleetStore notes which object store the job is about, if one: two with the same buckets are two stores. Each process has
// credentials of its own.
func (f *copyFlags) fleetStore(operands []string) error {
	o := filecopy.Options{Sources: operands, Dest: f.targetDir}
	if err := objectStore(&o); err != nil {
		return err
	}
	if filecopy.IsS3(o.Dest) || slices.ContainsFunc(operands, filecopy.IsS3) {
		f.fleet.settings[storeSetting] = cmp.Or(o.S3.Endpoint, filecopy.AWSEndpoint)
	}
	return nil
}
