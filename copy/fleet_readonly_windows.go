package copy

func (d *dir) readOnly() bool { return false } // no fleet copies here
