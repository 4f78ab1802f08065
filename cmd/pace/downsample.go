package main

// downsample returns the averages of a series over n equal parts of the time up to end. Each value of the series stands
// for a step, the last for what is left of the time until the series ends; after that there is nothing.
func downsample(values []float64, step, seriesEnd, end float64, n int) []float64 {
	means := make([]float64, n)
	if end <= 0 || step <= 0 {
		return means
	}
	width := end / float64(n)
	for i, v := range values {
		from := float64(i) * step
		to := min(from+step, seriesEnd, end)
		for k := max(int(from/width), 0); k < n && float64(k)*width < to; k++ {
			if overlap := min(to, float64(k+1)*width) - max(from, float64(k)*width); overlap > 0 {
				means[k] += v * overlap / width
			}
		}
	}
	return means
}

// parts says into how many parts to divide a time: no more than there is to see, or to know.
func parts(step, end float64, most int) int {
	if step <= 0 {
		return 1
	}
	return max(min(int(end/step+0.5), most), 1)
}
