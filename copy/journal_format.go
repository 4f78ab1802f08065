package copy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/zeebo/xxh3"
)

// A journal is a header and records of 32 bytes, all numbers little-endian:
//
//	header  magic[8] version nonce boot[40] source{dev ino size mtime ctime} part{dev ino born mount} zero[16] sum
//	record  off n xxh3 sum
//
// A source that is a URL has hashes in the place of numbers: see version.identity. A number is 8 bytes. The sum of the
// header is the XXH3 of what stands before it. The sum of a record is seeded with that and with the record's place in the
// file: a record of an older journal, or one that got to another place, is none of this journal. The first record that is
// not right ends the journal. An xxh3 of 0 stands for none.
const (
	journalMagic   = "pace-jnl"
	journalVersion = 1
	bootLen        = 40 // a UUID is 36
	headerLen      = 160
	recordLen      = 32 // divides a disk's sector: no record is half on one and half on another
)

var order = binary.LittleEndian

// header says what a journal belongs to.
type header struct {
	nonce uint64 // another one for each header, so that no two have the same sum
	boot  string
	src   identity
	part  partID
}

// newHeader returns what a journal that begins now belongs to, but for the nonce.
func newHeader(src identity, part *os.File) (header, error) {
	id, err := partIDOf(part)
	if err != nil {
		return header{}, err
	}
	boot := bootID()
	return header{boot: boot[:min(len(boot), bootLen)], src: src, part: id}, nil
}

func (h header) encode() []byte {
	b := make([]byte, 0, headerLen)
	b = append(b, journalMagic...)
	b = order.AppendUint64(b, journalVersion)
	b = order.AppendUint64(b, h.nonce)
	b = append(b, h.boot...)
	b = append(b, make([]byte, bootLen-len(h.boot))...)
	for _, v := range []uint64{
		h.src.dev, h.src.ino, uint64(h.src.size), uint64(h.src.mtime), uint64(h.src.ctime),
		h.part.dev, h.part.ino, uint64(h.part.born), h.part.mount,
		0, 0,
	} {
		b = order.AppendUint64(b, v)
	}
	return order.AppendUint64(b, xxh3.Hash(b))
}

// sum is the header's checksum, the seed of its records'.
func (h header) sum() uint64 { return order.Uint64(h.encode()[headerLen-8:]) }

// What makes a journal unreadable, in words for the user.
var (
	errJournalDamaged = errors.New("its journal is damaged")
	errJournalVersion = errors.New("its journal was written by another version of pace")
)

// decodeHeader takes nothing that encode would not have written.
func decodeHeader(b []byte) (header, error) {
	if string(b[:8]) != journalMagic {
		return header{}, errJournalDamaged
	}
	if order.Uint64(b[8:]) != journalVersion {
		return header{}, errJournalVersion
	}
	word := func(i int) uint64 { return order.Uint64(b[24+bootLen+8*i:]) }
	h := header{
		nonce: order.Uint64(b[16:]),
		boot:  string(bytes.TrimRight(b[24:24+bootLen], "\x00")),
		src: identity{
			dev: word(0), ino: word(1), size: int64(word(2)), mtime: int64(word(3)), ctime: int64(word(4)),
		},
		part: partID{dev: word(5), ino: word(6), born: int64(word(7)), mount: word(8)},
	}
	if !bytes.Equal(h.encode(), b) {
		return header{}, errJournalDamaged
	}
	return h, nil
}

// encodeRecord writes r as the record at place at, in bytes from the start of the journal.
func encodeRecord(b *[recordLen]byte, r hashedRange, seed uint64, at int64) {
	order.PutUint64(b[0:], uint64(r.off))
	order.PutUint64(b[8:], uint64(r.n))
	order.PutUint64(b[16:], r.sum)
	order.PutUint64(b[24:], xxh3.HashSeed(b[:24], seed+uint64(at)))
}

// decodeRecord returns false if b is no record of this journal and place.
func decodeRecord(b *[recordLen]byte, seed uint64, at int64) (hashedRange, bool) {
	r := hashedRange{int64(order.Uint64(b[0:])), int64(order.Uint64(b[8:])), order.Uint64(b[16:])}
	return r, order.Uint64(b[24:]) == xxh3.HashSeed(b[:24], seed+uint64(at))
}

// readJournal returns the header and the ranges of all records up to the first that is torn, damaged or out of the
// source's bounds. Its error is a reason for the user why the journal is of no use.
func readJournal(r io.Reader) (header, []hashedRange, error) {
	in := bufio.NewReaderSize(r, 64*kib)
	first := make([]byte, headerLen)
	if _, err := io.ReadFull(in, first); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return header{}, nil, errJournalDamaged
	} else if err != nil {
		return header{}, nil, fmt.Errorf("its journal cannot be read: %w", because(err))
	}
	h, err := decodeHeader(first)
	if err != nil {
		return header{}, nil, err
	}
	var done []hashedRange
	var record [recordLen]byte
	seed, at := h.sum(), int64(headerLen)
	for {
		// An error of the disk ends the journal like a record that is not right.
		if n, _ := io.ReadFull(in, record[:]); n < recordLen {
			return h, done, nil
		}
		r, ok := decodeRecord(&record, seed, at)
		if !ok || !r.within(h.src.size) {
			return h, done, nil
		}
		done = append(done, r)
		at += recordLen
	}
}
