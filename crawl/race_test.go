//go:build race

package crawl

// raceDetector says that memory is not what it is without it.
const raceDetector = true
