package health

// lookAtSettings warns of settings that are allowed and cost something.
func lookAtSettings(e *Examination) {
	if e.Config.Delivery.Ack == "broker" && len(e.Config.MQTT.URLs) > 0 {
		e.add(Warning, same("delivery.ack"),
			both("\"broker\": a case is forgotten once the broker has it; brokers acknowledge what their access list throws away, so a case may be lost without a trace",
				"“broker”：服务器收到后即从本机删除案件；服务器也会确认被访问控制丢弃的消息，案件可能悄然丢失"),
			both("set delivery.ack = \"backoffice\", which is the default, and have the back office acknowledge on dn/ack", "设置 delivery.ack = \"backoffice\"（默认值），并由后台在 dn/ack 上确认"))
	}
}
