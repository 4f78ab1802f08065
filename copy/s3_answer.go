package copy

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
)

// errNoStore is what is said of an answer that no object store gives: of a web page, for example.
var errNoStore = errors.New("what answers there is no object store: see AWS_ENDPOINT_URL")

// errTorn is an answer that has ended too early, though its length was right or not told.
var errTorn = errors.New("the store's answer is cut off")

// mostXML bounds what is kept of an answer; a page of a listing has 1,000 keys of 1,024 bytes, each escaped.
const mostXML = 64 * mib

// believe holds an answer to what a store says of a success. A store that takes its time begins with status 200, and may
// have to say in the body that it has failed; minio-go takes such a body, and any other without the elements that it looks
// for, for an empty one: a copy that was not made would be a success, and a listing without an end a complete one.
//
//	https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func believe(req *http.Request, resp *http.Response) error {
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil
	case req.Method == http.MethodPut && req.Header.Get("X-Amz-Copy-Source") == "":
		if resp.Header.Get("ETag") == "" {
			return errNoStore
		}
		return nil
	case !answersInXML(req):
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostXML))
	if err != nil {
		return err
	}
	root, err := rootOf(body)
	switch {
	case err != nil:
		return err
	case root == "Error":
		resp.StatusCode = http.StatusInternalServerError // as it would have been, had the store known
	case !strings.HasSuffix(root, "Result") && root != "LocationConstraint":
		return errNoStore
	}
	resp.Body = readCloser{bytes.NewReader(body), resp.Body}
	resp.ContentLength = int64(len(body))
	return nil
}

// answersInXML says whether a success is told with a document.
func answersInXML(req *http.Request) bool {
	q := req.URL.Query()
	switch req.Method {
	case http.MethodPost, http.MethodPut:
		return true
	case http.MethodGet:
		return q.Has("list-type") || q.Has("uploads") || q.Has("uploadId") || q.Has("location")
	}
	return false
}

// rootOf returns the name of a document's element. The document must be whole.
func rootOf(body []byte) (string, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	root := ""
	for {
		token, err := d.Token()
		if err == io.EOF && root != "" {
			return root, nil
		}
		if err != nil && root != "" && isPage(root) {
			return root, nil // it need not be XML
		}
		if err != nil {
			return "", errTorn
		}
		if e, ok := token.(xml.StartElement); ok && root == "" {
			root = e.Name.Local
		}
	}
}

func isPage(root string) bool { return strings.EqualFold(root, "html") }

// readCloser reads from one, and closes another.
type readCloser struct {
	io.Reader
	io.Closer
}
