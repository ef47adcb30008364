// A full-screen terminal program: it draws a box as large as the window, in which the arrow keys move a mark.
//
//	kurun run -it examples/screen
//
// q or Ctrl+C ends it.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"
)

const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // the alternate screen, no cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	ctrlC       = 3
)

// What is on the screen.
type screen struct {
	width, height int
	column, row   int
	lastKey       string
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "screen:", err)
		os.Exit(1)
	}
}

func run() error {
	input := int(os.Stdin.Fd())
	if !term.IsTerminal(input) {
		return fmt.Errorf("this needs a terminal: kurun run -it")
	}
	before, err := term.MakeRaw(input)
	if err != nil {
		return err
	}
	defer term.Restore(input, before)
	fmt.Print(enterScreen)
	defer fmt.Print(leaveScreen)

	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
	keys := make(chan string)
	go readKeys(keys)

	picture := screen{column: 1, row: 2, lastKey: "none"}
	for {
		if picture.width, picture.height, err = term.GetSize(input); err != nil {
			return err
		}
		picture.draw()
		select {
		case <-resized:
		case <-ended:
			return nil
		case key, open := <-keys:
			if !open || key == "q" || key == "ctrl+c" {
				return nil
			}
			picture.press(key)
		}
	}
}

// Sends each key's name, until the input ends.
func readKeys(keys chan<- string) {
	defer close(keys)
	arrows := map[byte]string{'A': "up", 'B': "down", 'C': "right", 'D': "left"}
	input := bufio.NewReader(os.Stdin)
	for {
		key, _, err := input.ReadRune()
		if err != nil {
			return
		}
		switch {
		case key == ctrlC:
			keys <- "ctrl+c"
		case key == '\x1b' && input.Buffered() >= 2:
			input.ReadByte()
			last, _ := input.ReadByte()
			keys <- arrows[last]
		case key == '\x1b':
			keys <- "escape"
		case key >= ' ':
			keys <- string(key)
		}
	}
}

func (s *screen) press(key string) {
	s.lastKey = key
	switch key {
	case "up":
		s.row--
	case "down":
		s.row++
	case "left":
		s.column--
	case "right":
		s.column++
	}
}

func (s *screen) draw() {
	inside := max(s.width-2, 0)
	s.column = min(max(s.column, 1), max(inside, 1))
	s.row = min(max(s.row, 2), max(s.height-1, 2))
	var picture strings.Builder
	picture.WriteString("\x1b[2J\x1b[H+" + strings.Repeat("-", inside) + "+")
	for row := 2; row < s.height; row++ {
		fmt.Fprintf(&picture, "\x1b[%d;1H|\x1b[%d;%dH|", row, row, s.width)
	}
	fmt.Fprintf(&picture, "\x1b[%d;1H+%s+", s.height, strings.Repeat("-", inside))
	fmt.Fprintf(&picture, "\x1b[1;3H %dx%d, key: %s, q ends ", s.width, s.height, s.lastKey)
	fmt.Fprintf(&picture, "\x1b[%d;%dH*", s.row, s.column+1)
	fmt.Print(picture.String())
}
