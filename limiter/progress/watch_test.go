package progress

import (
	"errors"
	"testing"
)

func TestWatch(t *testing.T) {
	c := New()
	var bytes, items int64
	c.AddBytes(1)
	c.Watch(func(b, i int64) { bytes, items = bytes+b, items+i })
	c.AddBytes(20)
	c.AddBytes(300)
	c.ItemDone()
	c.ItemFailed("x", errors.New("gone"))
	c.ItemSkipped()
	if bytes != 320 || items != 1 {
		t.Errorf("told of %d bytes and %d items, want 320 and 1", bytes, items)
	}
	c.Watch(nil)
	c.AddBytes(4000)
	c.ItemDone()
	if bytes != 320 || items != 1 {
		t.Errorf("told of %d bytes and %d items after the end", bytes, items)
	}
}

func TestWaiting(t *testing.T) {
	c := New()
	first, second := c.BeginWait(), c.BeginWait()
	if n := c.Waiting(); n != 2 {
		t.Errorf("%d wait, want 2", n)
	}
	first.End()
	second.End()
	if n := c.Waiting(); n != 0 {
		t.Errorf("%d wait, want none", n)
	}
}

func TestSetWorkers(t *testing.T) {
	c := New()
	c.SetWorkers(7)
	if n := c.Snapshot().Workers; n != 7 {
		t.Errorf("%d workers, want 7", n)
	}
}
