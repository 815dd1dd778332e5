package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

type agent struct {
	name   string
	wait   time.Duration
	apiKey string `json:"api_key,omitempty"`
}

var errNoDecision = errors.New("no decision: password: required")

func (a *agent) decide(ctx context.Context, rows [][3]int) (map[string]int, error) {
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("%s waited %v: %w", a.name, a.wait, ctx.Err())
	case <-time.After(a.wait):
	}
	if len(rows) == 0 {
		return nil, errNoDecision
	}
	return map[string]int{"size": rows[0][1] << 10, "mask": 0x7fff_ffff}, nil
}

func main() {
	a := &agent{name: "fox", wait: 1500 * time.Millisecond}
	fmt.Println(a.decide(context.Background(), [][3]int{{512, 256, 1024}}))
}
