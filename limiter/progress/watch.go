package progress

// Watch has f told of all bytes and items that are done well from now on, by the workers that do them. nil ends that.
func (c *Counter) Watch(f func(bytes, items int64)) {
	switch {
	case c == nil:
	case f == nil:
		c.watcher.Store(nil)
	default:
		c.watcher.Store(&f)
	}
}

func (c *Counter) tell(bytes, items int64) {
	if f := c.watcher.Load(); f != nil {
		(*f)(bytes, items)
	}
}

// Waiting returns how many waits for a rate or a delay have begun and not ended.
func (c *Counter) Waiting() int {
	if c == nil {
		return 0
	}
	return int(c.limited.state.Load() & countMask)
}

// SetWorkers says how many operations may be in flight from now on.
func (c *Counter) SetWorkers(n int) {
	if c != nil {
		c.workers.Store(int64(n))
	}
}
