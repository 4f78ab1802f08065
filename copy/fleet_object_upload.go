package copy

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"
)

// fleetUpload is an object that the workers of a fleet send together, as the parts of one upload. A part that comes again,
// or late, is of the same bytes and changes nothing.
type fleetUpload struct {
	*s3Sink
	ground *objectGround
	reader source
	mine   bool // this is who has begun it, or has tried to
}

// begin begins an upload. Its id is the token, with what all must know of it.
func (u *fleetUpload) begin(ctx context.Context, what found, _ int64) (string, int64, error) {
	u.what, u.part = what, u.partFor(what.size)
	u.parts, u.read, u.mine = map[int]minio.ObjectPart{}, newTurns(), true
	if err := u.beginUpload(ctx); err != nil {
		return "", 0, u.failed(ctx, err)
	}
	return fmt.Sprintf("%d %t %s", u.part, u.withSums, u.id), u.part, nil
}

// attach asks the store nothing: what has become of the upload it says when it is used.
func (u *fleetUpload) attach(_ context.Context, token string, what found) (whole bool, err error) {
	u.what, u.parts, u.read = what, map[int]minio.ObjectPart{}, newTurns()
	return true, u.take(token)
}

func (u *fleetUpload) take(token string) (err error) {
	words := strings.SplitN(token, " ", 3)
	if len(words) != 3 || words[2] == "" {
		return errItem
	}
	u.id = words[2]
	if u.part, err = strconv.ParseInt(words[0], 10, 64); err != nil || u.part <= 0 {
		return errItem
	}
	if u.withSums, err = strconv.ParseBool(words[1]); err != nil {
		return errItem
	}
	return nil
}

// sync has nothing to do: a part that the store has taken, it keeps.
func (u *fleetUpload) sync(context.Context) error { return nil }

// commitTries is how often parts are looked at again that late workers have sent once more meanwhile: some stores give them
// another name then.
const commitTries = 3

func (u *fleetUpload) commit(ctx context.Context, what found, fence func() error) (kept bool, err error) {
	for n := 1; ; n++ {
		if err = u.lookAtParts(ctx); err != nil {
			break
		}
		if err := fence(); err != nil {
			return false, err
		}
		err = u.complete(ctx, what.size)
		var e *StoreError
		if n == commitTries || !errors.As(err, &e) || e.Code != "InvalidPart" {
			break
		}
	}
	var e *StoreError
	switch {
	case errors.As(err, &e) && e.Status == http.StatusPreconditionFailed && u.NoClobber:
		u.abortUpload()
		return true, nil
	case errors.As(err, &e) && e.Code == minio.NoSuchUpload && u.isThere(ctx, what.size, u.ground.since.Add(clocks)):
		u.sent = nil // another worker was faster, or was killed just after
	case err != nil:
		return false, u.failed(ctx, err)
	}
	if fence() == nil { // who is late could end what a later job has begun
		u.ground.endOthers(ctx, u.s3Sink, u.id)
	}
	u.id = ""
	if !u.Verify {
		return false, nil
	}
	if err := u.sumSource(ctx); err != nil {
		return false, err
	}
	return false, u.verify(ctx, what.size)
}

// lookAtParts takes what the store says of the parts, all of which it has to have.
func (u *fleetUpload) lookAtParts(ctx context.Context) error {
	parts, _, err := u.listed(ctx, u.id)
	if err != nil {
		return err
	}
	u.parts, u.sent = map[int]minio.ObjectPart{}, nil
	for _, there := range parts {
		u.parts[there.PartNumber] = there
	}
	for number, off := 1, int64(0); off < u.what.size; number, off = number+1, off+u.part {
		n := min(u.part, u.what.size-off)
		there, ok := u.parts[number]
		if !ok || there.Size != n {
			return fmt.Errorf("the store has lost part %d of it", number)
		}
		part := sentPart{number: number, off: off, partSums: partSums{n: n}}
		if sum, err := base64.StdEncoding.DecodeString(there.ChecksumCRC32C); err == nil && len(sum) == 4 {
			part.crc32c = binary.BigEndian.Uint32(sum)
		}
		u.sent = append(u.sent, part)
	}
	return nil
}

// sumSource reads the source again for what the store does not say: it has checked the bytes of each part against the sum
// that it lists, but not every store has sums.
func (u *fleetUpload) sumSource(ctx context.Context) error {
	known := u.withSums && u.sent != nil
	for number, off := 1, int64(0); off < u.what.size && !known; number, off = number+1, off+u.part {
		if number == 1 {
			u.sent = nil
		}
		n := min(u.part, u.what.size-off)
		sums, err := u.sumOf(ctx, chunk{off, n})
		if err != nil {
			return err
		}
		u.sent = append(u.sent, sentPart{number: number, off: off, partSums: sums})
	}
	return nil
}

func (u *fleetUpload) sumOf(ctx context.Context, c chunk) (partSums, error) {
	buf := u.driver.buffer()
	defer u.driver.release(buf)
	in := u.reader.read(ctx, c)
	defer func() { _ = in.Close() }()
	return sumsFrom(in, buf, false)
}

// abort ends what others have begun of the object too, unless this is who has begun it, and only says that it was too late.
// Who does not know what it has begun, for the answer was lost, has to look for it.
func (u *fleetUpload) abort(ctx context.Context, token string) {
	known := u.id != "" || u.take(token) == nil
	u.abortUpload()
	if !u.mine || !known {
		u.ground.endOthers(ctx, u.s3Sink, "")
	}
}

func (u *fleetUpload) close() {}

// repair ends an upload that was begun too late: nobody else knows of it. A part that comes too late changes nothing.
func (u *fleetUpload) repair() {
	if u.mine {
		u.abortUpload()
	}
}
