//go:build !linux

package main

import "errors"

func dropFile(string) error { return errors.ErrUnsupported }

func dropEverything() error { return errors.ErrUnsupported }
