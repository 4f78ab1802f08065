//go:build !linux

package exchange

const haveBlocking = false

// dialBlocking is never called here.
func dialBlocking(bool) dialFunc { return nil }
