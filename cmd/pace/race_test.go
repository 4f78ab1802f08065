//go:build race

package main

// raceDetector says that memory and the number of goroutines are not what they are without it.
const raceDetector = true
