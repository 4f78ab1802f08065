//go:build !linux

package main

import "log"

// freeMemory does nothing here.
func freeMemory() {}

// dropCache cannot be done here: its contest would measure the same as the first one.
func dropCache(path string) { log.Fatalf("cannot drop %s from the cache on this system", path) }
