package demo

import (
	"fmt"
	"io"
	"log/slog"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// broker is an MQTT broker in this process, on a port of the loopback that was free.
type broker struct {
	server *mqtt.Server
	url    string
}

// startBroker starts the broker and subscribes the back office to everything that comes up.
func startBroker(desk *backOffice) (*broker, error) {
	b := &broker{server: mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})}
	if err := b.server.AddHook(new(auth.AllowHook), nil); err != nil {
		return nil, err
	}
	listener := listeners.NewTCP(listeners.Config{ID: "loopback", Address: "127.0.0.1:0"})
	if err := b.server.AddListener(listener); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	b.url = "tcp://" + listener.Address()
	desk.publish = func(topic string, payload []byte) error { return b.server.Publish(topic, payload, false, 1) }
	err := b.server.Subscribe(root+"/v1/+/up/#", 1, func(_ *mqtt.Client, _ packets.Subscription, pk packets.Packet) {
		desk.arrive(pk.TopicName, append([]byte(nil), pk.Payload...))
	})
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if err := b.server.Serve(); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	return b, nil
}

// Close ends the broker and its connections.
func (b *broker) Close() error { return b.server.Close() }
