// Checks a log from outside with the packages that the Go checksum database is made of: its
// checkpoint, its tiles and bundles, and the proofs that the API gives.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"

	"crypto/sha256"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const signatureType = "\xffpatchproof/ecdsa-secp256k1-sha256"

// verifier is a key of the log's kind, made from its verifier key by the rules of C2SP signed-note.
type verifier struct {
	name string
	id   uint32
	key  *secp256k1.PublicKey
}

func (v verifier) Name() string    { return v.name }
func (v verifier) KeyHash() uint32 { return v.id }

func (v verifier) Verify(message, signature []byte) bool {
	parsed, err := ecdsa.ParseDERSignature(signature)
	hash := sha256.Sum256(message)
	return err == nil && parsed.Verify(hash[:], v.key)
}

func parseKey(text string) (verifier, error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 {
		return verifier{}, errors.New("not a verifier key")
	}
	encoded, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return verifier{}, err
	}
	key, found := strings.CutPrefix(string(encoded), signatureType)
	if !found {
		return verifier{}, errors.New("a key of another kind")
	}
	hash := sha256.Sum256([]byte(parts[0] + "\n" + string(encoded)))
	if hex.EncodeToString(hash[:4]) != parts[1] {
		return verifier{}, errors.New("the key has another identifier")
	}
	parsed, err := secp256k1.ParsePubKey([]byte(key))
	return verifier{parts[0], binary.BigEndian.Uint32(hash[:4]), parsed}, err
}

func get(url string) []byte {
	answer, err := http.Get(url)
	check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	check(err)
	if answer.StatusCode != http.StatusOK {
		log.Fatalf("%s: %s %s", url, answer.Status, body)
	}
	return body
}

func getJSON(url string, into any) {
	check(json.Unmarshal(get(url), into))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// tiles reads the log's static files; the package proves them against the tree that it is given.
type tiles struct{ base string }

func (t tiles) Height() int                     { return 8 }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(wanted []tlog.Tile) (read [][]byte, err error) {
	for _, tile := range wanted {
		path := strings.TrimPrefix(tile.Path(), "tile/8/")
		read = append(read, get(t.base+"/log/tile/"+path))
	}
	return read, nil
}

func parseHash(text string) (hash tlog.Hash) {
	bytes, err := hex.DecodeString(text)
	check(err)
	if copy(hash[:], bytes) != tlog.HashSize {
		log.Fatalf("%s is no hash", text)
	}
	return hash
}

func parsePath(path []string) (hashes []tlog.Hash) {
	for _, hash := range path {
		hashes = append(hashes, parseHash(hash))
	}
	return hashes
}

// entries reads all entries from the bundles.
func entries(base string, size int64) (found [][]byte) {
	for place := int64(0); place*256 < size; place++ {
		width := int(min(256, size-place*256))
		path := tlog.Tile{H: 8, L: 0, N: place, W: width}.Path()
		bundle := get(base + "/log/tile/entries/" + strings.TrimPrefix(path, "tile/8/0/"))
		for len(bundle) > 0 {
			length := int(binary.BigEndian.Uint16(bundle))
			found = append(found, bundle[2:2+length])
			bundle = bundle[2+length:]
		}
	}
	return found
}

func main() {
	log.SetFlags(0)
	base := strings.TrimSuffix(os.Args[1], "/")
	var told struct{ Origin, Vkey string }
	getJSON(base+"/v1/log/key", &told)
	key, err := parseKey(told.Vkey)
	check(err)
	opened, err := note.Open(get(base+"/log/checkpoint"), note.VerifierList(key))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != told.Origin {
		log.Fatalf("the checkpoint is of %s", lines[0])
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)

	reader := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, tiles{base})
	all := entries(base, size)
	if int64(len(all)) != size {
		log.Fatalf("%d entries in a log of %d", len(all), size)
	}
	for index, entry := range all {
		leaf := tlog.RecordHash(entry)
		stored, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(index))})
		check(err)
		if stored[0] != leaf {
			log.Fatalf("entry %d is not what its tile says", index)
		}
		var proof struct {
			LeafIndex, TreeSize int64
			Path                []string
		}
		getJSON(fmt.Sprintf("%s/v1/log/inclusion?commitment=%x&size=%d", base, entry, size), &proof)
		path := parsePath(proof.Path)
		check(tlog.CheckRecord(path, size, root, int64(index), leaf))
		own, err := tlog.ProveRecord(size, int64(index), reader)
		check(err)
		if fmt.Sprint(own) != fmt.Sprint(tlog.RecordProof(path)) || proof.LeafIndex != int64(index) {
			log.Fatalf("the proofs of entry %d differ", index)
		}
	}
	for from := int64(1); from <= size; from++ {
		var proof struct {
			From struct{ Root string }
			Path []string
		}
		getJSON(fmt.Sprintf("%s/v1/log/consistency?from=%d&to=%d", base, from, size), &proof)
		old, err := tlog.TreeHash(from, reader)
		check(err)
		if old != parseHash(proof.From.Root) {
			log.Fatalf("the roots of size %d differ", from)
		}
		check(tlog.CheckTree(parsePath(proof.Path), size, root, from, old))
	}
	fmt.Println(size)
}
