package consumer

import (
	"encoding/json"
	"time"

	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/topics"
)

// eventEcho is the type of the event by which a terminal asks whether we are here.
const eventEcho = "echo.asked"

// echoTTL is how long a ping that answers it counts; the terminal waits no longer.
const echoTTL = 30 * time.Second

// echo answers each echo.asked of a batch with the command ping under the id that it asks
// for, signed as acknowledgements are. A desk that only observes is silent.
func (c *Consumer) echo(conn Broker, list []store.Message) error {
	if c.o.Observe {
		return nil
	}
	for i := range list {
		e := list[i].Event
		if e == nil || e.Case || e.Type != eventEcho {
			continue
		}
		var asked struct {
			Data struct {
				Ping string `json:"ping"`
			} `json:"data"`
		}
		if topics.Exact(e.Payload, &asked) != nil || !topics.ValidID(asked.Data.Ping) {
			continue // its schema was checked; an id that is none is not repeated
		}
		now := c.o.Now()
		if age := now.Sub(e.Time); age > echoTTL {
			continue // it was kept on the way: its terminal does not wait any more
		}
		body, err := json.Marshal(topics.Cmd{ID: asked.Data.Ping, TS: topics.At(now), TTLS: int64(echoTTL / time.Second), Args: json.RawMessage(`{}`)})
		if err != nil {
			return err
		}
		if err := c.send(conn, topics.Names{Root: c.o.Root, Terminal: e.Terminal}.Cmd("ping"), e.Terminal, false, body); err != nil {
			return err
		}
	}
	return nil
}
