-- A table that was dropped and created again has none of the files of its namesake.

alter table ops.loaded_file add column target_oid oid;
comment on column ops.loaded_file.target_oid is 'Object id of the table the rows went to; null for rows noted before it was kept.';
comment on column ops.loaded_file.target_table is 'Table the rows went to, schema.name, each part quoted where needed.';
