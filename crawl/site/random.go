package site

// mix returns a well-mixed function of its arguments: the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast
// splittable pseudorandom number generators", 2014), whose increment keeps neighbouring keys apart.
func mix(keys ...uint64) uint64 {
	var z uint64
	for _, k := range keys {
		z = mix1(z ^ mix1(k))
	}
	return z
}

// mix1 is mix of one key. It maps different keys to different values.
func mix1(k uint64) uint64 {
	z := k + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit returns a mixed value as a number from 0 up to, but not including, 1.
func unit(z uint64) float64 { return float64(z>>11) / (1 << 53) }

// What a mixed value is used for, so that no two uses are correlated.
const (
	forWords = iota + 1
	forText
	forLinks
	forBlob
	forDelay
	forFault
	forTail
)
