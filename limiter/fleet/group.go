package fleet

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// Group is many items that lead to one more, its end, which is queued when all of them are done. Its name has no slash. A
// key RANK/NAME/REST is of the group NAME: what is added to it is waited for too, and not added when the group is through. RANK
// is a digit: of keys that can be leased, those of a higher one are first, as far as they are in one partition.
//
// An item that is dead counts as done, and the group as failed. The end has a key RANK/NAME/end, and is never dead.
type Group struct {
	Name string
	End  Entry // its key and payload
	// Keys is how the keys of its first items begin, each of which has PerKey of them. Payload is how their payloads begin;
	// the item's number from 0 on is its end.
	Keys          string
	Items, PerKey int
	Payload       string
}

// maxGroupItems is how many items a group may be opened with: its script holds up everyone else for some 3 µs an item.
const maxGroupItems = 1 << 15

// groupOf returns the group that a key is of.
func groupOf(key string) (string, bool) {
	if len(key) < 2 || key[0] < '0' || key[0] > '9' || key[1] != '/' {
		return "", false
	}
	group, _, ok := strings.Cut(key[2:], "/")
	return group, ok && group != ""
}

// groupMember is what the seen-set knows a group by.
func (j *Job) groupMember(name string) Member { return j.MemberOf([]byte("group " + name)) }

// OpenGroup makes a group, once: it returns false if there was one of that name before.
func (j *Job) OpenGroup(ctx context.Context, g Group) (bool, error) {
	if g.Items > maxGroupItems {
		return false, fmt.Errorf("a group of %d items is too large: it is opened with %d at most", g.Items, maxGroupItems)
	}
	reply, err := j.eval(ctx, groupScript, j.partitionOf(g.End.Key), j.record.Shards, j.groupMember(g.Name).wire(), g.Name,
		g.End.Key, g.End.Payload, g.Keys, g.Items, max(1, g.PerKey), g.Payload)
	if err != nil {
		return false, err
	}
	values, err := list(reply, 1)
	return err == nil && number(values[0]) == 1, err
}

// GroupSeen says whether there is, or was, a group of that name.
func (j *Job) GroupSeen(ctx context.Context, name string) (bool, error) {
	outcomes, err := j.Add(ctx, Entry{Kind: Ask, Key: "0/" + name + "/", Member: j.groupMember(name)})
	return err == nil && outcomes[0] == Seen, err
}

// Expect lets a group wait for the end of another one too. It has to be said while an item of the group is not done, and
// may be said again.
func (j *Job) Expect(ctx context.Context, group, child string) error {
	return j.sayOfChild(ctx, group, child, "expect")
}

// Ended tells a group that one which it expects, or will, has ended. It may be said again.
func (j *Job) Ended(ctx context.Context, group, child string) error {
	return j.sayOfChild(ctx, group, child, "ended")
}

func (j *Job) sayOfChild(ctx context.Context, group, child, what string) error {
	_, err := j.eval(ctx, childScript, j.partitionOf("0/"+group+"/"), j.record.Shards, group, what,
		j.MemberOf([]byte("expect "+group+"/"+child)).wire(), j.endedMember(group, child).wire())
	return err
}

func (j *Job) endedMember(group, child string) Member {
	return j.MemberOf([]byte("ended " + group + "/" + child))
}

// HasEnded says whether a group was told that one which it expects has ended.
func (j *Job) HasEnded(ctx context.Context, group, child string) (bool, error) {
	outcomes, err := j.Add(ctx, Entry{Kind: Ask, Key: "0/" + group + "/", Member: j.endedMember(group, child)})
	return err == nil && outcomes[0] == Seen, err
}

// SplitEnd returns what the payload of a group's end was given as, and why the group failed, or nothing.
func SplitEnd(payload []byte) (given []byte, failure string) {
	before, after, _ := bytes.Cut(payload, []byte("\n"))
	return after, string(before)
}
