package crawl

import (
	"runtime"
	"runtime/metrics"
	"sync"
)

// maxGarbage is how many bytes may have been allocated since the last garbage collection when a large page wants more. By
// itself the collector waits until the heap has doubled, which is long if large pages were in it the last time.
const maxGarbage = 32 << 20

// collecting is held while garbage is collected: who wants more memory waits for it.
var collecting sync.Mutex

// collectGarbage collects garbage if there may be much of it: n bytes are to be allocated. In a process that holds much
// more for good, as the URLs of a huge crawl, it lets more come together, for each collection has to go through all.
func collectGarbage(n int64) {
	if !muchGarbage(n) {
		return
	}
	collecting.Lock()
	defer collecting.Unlock()
	if muchGarbage(n) {
		runtime.GC()
	}
}

// muchGarbage says whether the heap will have grown much since it was last collected. Of what is huge a part counts, or
// there would be a collection before each though no garbage is there.
func muchGarbage(n int64) bool {
	heap := [...]metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(heap[:])
	now, live := int64(heap[0].Value.Uint64()), int64(heap[1].Value.Uint64())
	return now-live+min(n, maxGarbage*3/4) > max(maxGarbage, live/4)
}
