CREATE TABLE `deliveries` (
	`message_id` integer NOT NULL,
	`recipient_id` text NOT NULL,
	`sender_id` text NOT NULL,
	`digest` integer DEFAULT 0 NOT NULL,
	`state` text NOT NULL,
	`offer_id` text,
	`lease_until` integer,
	`attempts` integer DEFAULT 0 NOT NULL,
	`queued_at` integer NOT NULL,
	`offered_at` integer,
	`settled_at` integer,
	`read_at` integer,
	`requeued_at` integer,
	`earlier_attempts` integer DEFAULT 0 NOT NULL,
	`notified_at` integer,
	`expires_at` integer NOT NULL,
	`reply_by` integer,
	`reply_id` integer,
	`note_id` integer,
	`changed_seq` integer NOT NULL,
	PRIMARY KEY(`message_id`, `recipient_id`),
	FOREIGN KEY (`message_id`) REFERENCES `messages`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`recipient_id`) REFERENCES `peers`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "deliveries_state" CHECK(("deliveries"."state" = 'queued' or "deliveries"."state" = 'offered' or "deliveries"."state" = 'delivered' or "deliveries"."state" = 'read' or "deliveries"."state" = 'expired' or "deliveries"."state" = 'retracted')),
	CONSTRAINT "deliveries_lease" CHECK(("deliveries"."state" = 'offered') = ("deliveries"."lease_until" is not null)),
	CONSTRAINT "deliveries_offer" CHECK("deliveries"."state" <> 'offered' or ("deliveries"."offer_id" is not null and "deliveries"."offered_at" is not null)),
	CONSTRAINT "deliveries_attempts" CHECK(case when ("deliveries"."state" = 'offered' or "deliveries"."state" = 'delivered' or "deliveries"."state" = 'read') then "deliveries"."attempts" > 0
        when "deliveries"."state" = 'retracted' then "deliveries"."attempts" = 0 else "deliveries"."attempts" >= 0 end),
	CONSTRAINT "deliveries_settled" CHECK(("deliveries"."state" in ('queued', 'offered')) = ("deliveries"."settled_at" is null)),
	CONSTRAINT "deliveries_read" CHECK(("deliveries"."state" = 'read') = ("deliveries"."read_at" is not null)),
	CONSTRAINT "deliveries_note" CHECK("deliveries"."note_id" is null or "deliveries"."reply_by" is not null)
);
--> statement-breakpoint
CREATE INDEX `deliveries_waiting` ON `deliveries` (`recipient_id`,`state`,`message_id`,`settled_at`) WHERE settled_at is null;--> statement-breakpoint
CREATE INDEX `deliveries_leases` ON `deliveries` (`lease_until`) WHERE lease_until is not null;--> statement-breakpoint
CREATE INDEX `deliveries_expiry` ON `deliveries` (`expires_at`) WHERE settled_at is null;--> statement-breakpoint
CREATE INDEX `deliveries_untold` ON `deliveries` (`recipient_id`,`queued_at`) WHERE state = 'queued' and notified_at is null;--> statement-breakpoint
CREATE INDEX `deliveries_settled` ON `deliveries` (`settled_at`) WHERE settled_at is not null;--> statement-breakpoint
CREATE INDEX `deliveries_unread` ON `deliveries` (`recipient_id`,`message_id`) WHERE state = 'delivered';--> statement-breakpoint
CREATE INDEX `deliveries_asked` ON `deliveries` (`reply_by`) WHERE reply_by is not null and reply_id is null and note_id is null and state <> 'retracted';--> statement-breakpoint
CREATE INDEX `deliveries_owed` ON `deliveries` (`recipient_id`,`message_id`) WHERE reply_by is not null and reply_id is null;--> statement-breakpoint
CREATE INDEX `deliveries_pair` ON `deliveries` (`recipient_id`,`sender_id`,`message_id`,`digest`);--> statement-breakpoint
CREATE INDEX `deliveries_changed` ON `deliveries` (`changed_seq`);--> statement-breakpoint
CREATE TABLE `machine_tokens` (
	`id` text PRIMARY KEY NOT NULL,
	`label` text NOT NULL,
	`token_hash` text NOT NULL,
	`machine_id` text,
	`created_at` integer NOT NULL,
	`bound_at` integer,
	`seen_at` integer,
	`revoked_at` integer,
	FOREIGN KEY (`machine_id`) REFERENCES `machines`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "machine_tokens_bound" CHECK(("machine_tokens"."machine_id" is null) = ("machine_tokens"."bound_at" is null)),
	CONSTRAINT "machine_tokens_label_form" CHECK("machine_tokens"."label" not glob '*[^a-z0-9-]*' and length("machine_tokens"."label") between 1 and 48)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `machine_tokens_label` ON `machine_tokens` (`label`) WHERE revoked_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX `machine_tokens_machine` ON `machine_tokens` (`machine_id`) WHERE revoked_at is null;--> statement-breakpoint
CREATE TABLE `machines` (
	`id` text PRIMARY KEY NOT NULL,
	`host` text NOT NULL,
	`user_home` text,
	`created_at` integer NOT NULL,
	`seen_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `machines_host` ON `machines` (`host`);--> statement-breakpoint
CREATE TABLE `messages` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`sender_id` text NOT NULL,
	`idempotency_key` text NOT NULL,
	`chars` integer NOT NULL,
	`urgency` text NOT NULL,
	`reply_to` integer,
	`kind` text DEFAULT 'message' NOT NULL,
	`scope` text,
	`created_at` integer NOT NULL,
	`body` text NOT NULL,
	FOREIGN KEY (`sender_id`) REFERENCES `peers`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "messages_urgency" CHECK("messages"."urgency" in ('normal', 'fyi')),
	CONSTRAINT "messages_chars" CHECK("messages"."chars" > 0),
	CONSTRAINT "messages_kind" CHECK("messages"."kind" in ('message', 'note')),
	CONSTRAINT "messages_note" CHECK("messages"."kind" <> 'note' or "messages"."reply_to" is not null),
	CONSTRAINT "messages_scope" CHECK(("messages"."scope" = 'machine' or "messages"."scope" = 'directory' or "messages"."scope" = 'repo'))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `messages_idempotency` ON `messages` (`idempotency_key`,`sender_id`);--> statement-breakpoint
CREATE INDEX `messages_sender` ON `messages` (`sender_id`);--> statement-breakpoint
CREATE TABLE `peers` (
	`id` text PRIMARY KEY NOT NULL,
	`machine_id` text NOT NULL,
	`kind` text NOT NULL,
	`name` text NOT NULL,
	`root` text NOT NULL,
	`home` text NOT NULL,
	`repository` text,
	`remote` text,
	`place` text,
	`cwd` text NOT NULL,
	`is_repo` integer NOT NULL,
	`branch` text,
	`summary` text NOT NULL,
	`pid` integer,
	`pid_start` text,
	`pid_namespace` text,
	`session_id` text,
	`key_hash` text NOT NULL,
	`online` integer NOT NULL,
	`online_seq` integer NOT NULL,
	`seen_at` integer NOT NULL,
	`held_since` integer NOT NULL,
	`created_at` integer NOT NULL,
	`changed_seq` integer NOT NULL,
	FOREIGN KEY (`machine_id`) REFERENCES `machines`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "peers_kind" CHECK("peers"."kind" in ('session', 'user')),
	CONSTRAINT "peers_name_form" CHECK("peers"."name" not glob '*[^-a-z0-9' || char(128) || '-' || char(1114111) || ']*' and length("peers"."name") between 1 and 64)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `peers_machine_name` ON `peers` (`machine_id`,`name`);--> statement-breakpoint
CREATE INDEX `peers_name` ON `peers` (`name`);--> statement-breakpoint
CREATE INDEX `peers_process` ON `peers` (`machine_id`,`pid`);--> statement-breakpoint
CREATE INDEX `peers_home` ON `peers` (`machine_id`,`home`);--> statement-breakpoint
CREATE INDEX `peers_changed` ON `peers` (`changed_seq`);--> statement-breakpoint
CREATE INDEX `peers_idle` ON `peers` (`seen_at`) WHERE online = 0;--> statement-breakpoint
CREATE TABLE `sessions` (
	`session_id` text NOT NULL,
	`peer_id` text NOT NULL,
	`bound_at` integer NOT NULL,
	PRIMARY KEY(`session_id`, `peer_id`),
	FOREIGN KEY (`peer_id`) REFERENCES `peers`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `sessions_peer` ON `sessions` (`peer_id`);