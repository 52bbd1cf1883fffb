// Readlog reads a consent log the way Go's checksum database is read: notes with
// golang.org/x/mod/sumdb/note, trees and proofs with golang.org/x/mod/sumdb/tlog.
// It shares no code with the log. Usage: readlog VKEY URL [OLD-CHECKPOINT]
//
// 1. the checkpoint at URL is a note signed with VKEY, and so is the one in the file OLD-CHECKPOINT;
// 2. every entry is in the tree, by a proof made of tiles and by the proof that the log serves;
// 3. the tree extends every smaller one, and that of OLD-CHECKPOINT.
//
// It prints what it has checked as JSON, or says what is wrong and exits with 1.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/ioutil"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8 // of the tiles of C2SP tlog-tiles

type checkpoint struct {
	origin string
	tree   tlog.Tree
}

// parse reads the three lines of C2SP tlog-checkpoint; tlog.ParseTree knows those of go.sum only.
func parse(text string) (c checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return c, fmt.Errorf("a checkpoint has three lines, this one %d", len(lines)-1)
	}
	c.origin = lines[0]
	if c.tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return c, err
	}
	c.tree.Hash, err = tlog.ParseHash(lines[2])
	return c, err
}

func open(msg []byte, verifiers note.Verifiers) (checkpoint, error) {
	n, err := note.Open(msg, verifiers)
	if err != nil {
		return checkpoint{}, err
	}
	return parse(n.Text)
}

// site reads tiles over HTTP; TileHashReader holds them against the tree's hash.
type site struct{ url string }

func (s site) get(path string) ([]byte, error) {
	answer, err := http.Get(s.url + "/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	return ioutil.ReadAll(answer.Body)
}

func (s site) Height() int                     { return height }
func (s site) SaveTiles([]tlog.Tile, [][]byte) {}
func (s site) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range tiles {
		// Go names the height in the path, C2SP does not: it is always 8.
		one, err := s.get(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		data = append(data, one)
	}
	return data, nil
}

// entries reads all leaves out of their bundles.
func (s site) entries(size int64) (leaves [][]byte, err error) {
	for n := int64(0); n<<height < size; n++ {
		width := size - n<<height
		if width > 1<<height {
			width = 1 << height
		}
		path := tlog.Tile{H: height, L: 0, N: n, W: int(width)}.Path()
		data, err := s.get(strings.Replace(path, "tile/8/0/", "tile/entries/", 1))
		if err != nil {
			return nil, err
		}
		for len(data) > 0 {
			if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
				return nil, fmt.Errorf("bundle %d ends within an entry", n)
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			leaves = append(leaves, data[2:end])
			data = data[end:]
		}
	}
	if int64(len(leaves)) != size {
		return nil, fmt.Errorf("%d entries in a tree of %d", len(leaves), size)
	}
	return leaves, nil
}

// served is the proof of an entry that the log makes itself (C2SP tlog-proof), with its checkpoint.
func (s site) served(index int, verifiers note.Verifiers) (proof tlog.RecordProof, c checkpoint, err error) {
	text, err := s.get("v1/proofs/" + strconv.Itoa(index))
	if err != nil {
		return nil, c, err
	}
	parts := strings.SplitN(string(text), "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	if len(parts) != 2 || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" ||
		lines[1] != "index "+strconv.Itoa(index) {
		return nil, c, fmt.Errorf("not a proof of entry %d", index)
	}
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, c, err
		}
		proof = append(proof, hash)
	}
	c, err = open([]byte(parts[1]), verifiers)
	return proof, c, err
}

func checkRecords(s site, tree tlog.Tree, tiles tlog.HashReader, verifiers note.Verifiers) error {
	leaves, err := s.entries(tree.N)
	if err != nil {
		return err
	}
	for i, leaf := range leaves {
		hash := tlog.RecordHash(leaf)
		proof, err := tlog.ProveRecord(tree.N, int64(i), tiles)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, int64(i), hash); err != nil {
			return fmt.Errorf("entry %d: %v", i, err)
		}
		if i%7 != 0 && i != len(leaves)-1 {
			continue
		}
		proof, own, err := s.served(i, verifiers)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, own.tree.N, own.tree.Hash, int64(i), hash); err != nil {
			return fmt.Errorf("served proof of entry %d: %v", i, err)
		}
	}
	return nil
}

func checkTrees(tree tlog.Tree, old *tlog.Tree, tiles tlog.HashReader) error {
	for n := int64(1); n <= tree.N; n++ {
		hash, err := tlog.TreeHash(n, tiles)
		if err != nil {
			return err
		}
		if old != nil && old.N == n {
			hash = old.Hash
		}
		proof, err := tlog.ProveTree(tree.N, n, tiles)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, n, hash); err != nil {
			return fmt.Errorf("tree of %d: %v", n, err)
		}
	}
	return nil
}

func run(vkey, url string, oldFile string) error {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	verifiers, s := note.VerifierList(verifier), site{strings.TrimSuffix(url, "/")}
	msg, err := s.get("checkpoint")
	if err != nil {
		return err
	}
	c, err := open(msg, verifiers) // 1.
	if err != nil {
		return err
	}
	var old *tlog.Tree
	if oldFile != "" {
		msg, err := ioutil.ReadFile(oldFile)
		if err != nil {
			return err
		}
		before, err := open(msg, verifiers)
		if err != nil {
			return err
		}
		if before.origin != c.origin || before.tree.N > c.tree.N {
			return fmt.Errorf("another log, or a smaller one than before")
		}
		old = &before.tree
	}
	tiles := tlog.TileHashReader(c.tree, s)
	if err := checkRecords(s, c.tree, tiles, verifiers); err != nil { // 2.
		return err
	}
	if err := checkTrees(c.tree, old, tiles); err != nil { // 3.
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]interface{}{"origin": c.origin, "size": c.tree.N})
}

func main() {
	if len(os.Args) < 3 || len(os.Args) > 4 {
		fmt.Fprintln(os.Stderr, "usage: readlog VKEY URL [OLD-CHECKPOINT]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], strings.Join(os.Args[3:], "")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
